import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { leanShader } from '../lean-shaders.ts';

const folder = fileURLToPath(new URL('../src/shaders', import.meta.url));
const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.wgsl'));

/** A word or number, a sign of several characters, or a sign of one. */
const TOKEN = /[\w.]+|->|\+\+|--|<<=?|>>=?|[-+*/%&|^!<>=]=|&&|\|\||\S/g;

test('kernels keep their tokens and lines, and lose comments and blanks', async () => {
  let [before, after] = [0, 0];
  for (const name of files) {
    const source = await readFile(join(folder, name), 'utf8');
    const lean = leanShader(source);
    expect(lean.match(TOKEN), name).toEqual(source.replace(/\/\/.*$/gm, '').match(TOKEN));
    expect(lean.split('\n').length, name).toBe(source.split('\n').length);
    before += source.length;
    after += lean.length;
  }
  expect(files.length).toBeGreaterThan(50);
  expect(after).toBeLessThan(0.65 * before);
});

test.each([
  ['let a = b - -c;', 'let a=b- -c;'],
  ['x = y / *p; // half', 'x=y/ *p;'],
  ['if (a < 1u) { return a /* one */ + 1u; }', 'if(a<1u){return a+1u;}'],
  ['fn f() -> u32 { /* two\n lines */ return 1u; }', 'fn f()->u32{\nreturn 1u;}'],
  ['enable/**/subgroups;', 'enable subgroups;'],
])('%j becomes %j', (wgsl, lean) => {
  expect(leanShader(wgsl)).toBe(lean);
});
