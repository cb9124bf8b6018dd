import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SelfTest, Verdict } from '../../src/engine/gpu/verdicts.ts';
import { AdapterMemory } from '../../src/node/adapter-memory.ts';
import { memoryText, parseMemory } from '../../src/node/adapter-memory-file.ts';
import { temporaryFolder } from './temporary-folder.ts';

const verdict: Verdict = {
  adapter: '["nvidia","ada","A GPU","A GPU","driver 550"]',
  check: 'attention of 64 queries at once',
  kernels: 'ab'.repeat(32),
  fault: null,
};
const selfTest: SelfTest = { adapter: verdict.adapter, check: verdict.check, kernels: verdict.kernels };

test('verdicts and choices outlive the process, by adapter, check and kernels', async () => {
  const place = join(await temporaryFolder(), 'laminar');
  const memory = () => new AdapterMemory([place]);
  expect(await memory().find(selfTest)).toBeUndefined();
  expect(await memory().files()).toEqual([]);
  await memory().keep(verdict);
  expect(await memory().find(selfTest)).toMatchObject({
    fault: null,
    date: expect.stringMatching(/^\d{4}-/),
  });
  for (const changed of [{ adapter: 'another driver' }, { check: 'another' }, { kernels: 'cd'.repeat(32) }]) {
    expect(await memory().find({ ...selfTest, ...changed })).toBeUndefined();
  }
  await memory().keep({ ...verdict, kernels: 'cd'.repeat(32), fault: 'number 3 of 9 is NaN' });
  expect(await memory().find(selfTest)).toBeUndefined(); // older texts of a kernel
  expect(await memory().find({ ...selfTest, kernels: 'cd'.repeat(32) })).toMatchObject({
    fault: 'number 3 of 9 is NaN',
  });

  const file = join(place, 'adapters.json');
  expect(await memory().choose(verdict.adapter, { 'matrix product': 'staged' })).toBe(file);
  expect((await memory().choicesOf(verdict.adapter))?.options).toEqual({ 'matrix product': 'staged' });
  expect(await memory().choicesOf('another')).toBeUndefined();
  await memory().choose(verdict.adapter, {});
  expect(await memory().choicesOf(verdict.adapter)).toBeUndefined();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await memory().forget()).toEqual([file]);
  expect(await memory().files()).toEqual([]);
});

const sound = memoryText({
  verdicts: [{ ...verdict, webgpu: '1.0.0', date: '2026-11-26' }],
  choices: [
    { webgpu: '1.0.0', adapter: 'a', laminar: '0.1.0', date: '2026-11-26', options: { product: 'tiles' } },
  ],
});

test('the file is read as it was written, and not at all where any of it is not', () => {
  expect(parseMemory(sound)).toEqual(
    JSON.parse(sound, (key, value: unknown) => (key === 'format' ? undefined : value)),
  );
  for (const [from, to] of [
    ['"format": 1', '"format": 2'],
    ['"format": 1,', '"format": 1, "more": 1,'],
    ['"fault": null', '"fault": 0'],
    ['"fault"', '"foult"'],
    ['abab', 'xyxy'],
    ['2026-11-26', 'tomorrow'],
    ['"tiles"', '["tiles"]'],
    ['"1.0.0"', `"${'1'.repeat(2000)}"`],
    ['}', ''],
  ] as const) {
    expect(sound).toContain(from);
    expect(parseMemory(sound.replace(from, to)), `${from} → ${to}`).toBeUndefined();
  }
});

test.each([
  ['damaged', (file: string) => writeFile(file, sound.slice(0, 200))],
  ['too large', (file: string) => writeFile(file, sound + ' '.repeat(2 ** 20))],
  ['open to others', (file: string) => writeFile(file, sound).then(() => chmod(file, 0o666))],
  ['a link', (file: string) => writeFile(`${file}.x`, sound).then(() => symlink(`${file}.x`, file))],
] as const)('a file that is %s is ignored and replaced', async (_what, make) => {
  const place = join(await temporaryFolder(), 'laminar');
  await mkdir(place, { mode: 0o700 });
  const file = join(place, 'adapters.json');
  await make(file);
  const memory = new AdapterMemory([place]);
  expect(await memory.find(selfTest)).toBeUndefined();
  await memory.keep(verdict);
  expect(await memory.find(selfTest)).toMatchObject(verdict);
  expect(parseMemory(await readFile(file, 'utf8'))?.verdicts).toHaveLength(1);
});

test('where nothing can be written nothing is remembered, and nothing fails', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'a-file'), '');
  const memory = new AdapterMemory([join(folder, 'a-file', 'laminar'), '/proc/laminar']);
  await memory.keep(verdict);
  expect(await memory.find(selfTest)).toBeUndefined();
  expect(await memory.choose('an adapter', { product: 'tiles' })).toBeUndefined();
  expect(await memory.forget()).toEqual([]);
  const second = join(folder, 'second');
  const next = new AdapterMemory([join(folder, 'a-file', 'laminar'), second]);
  expect(await next.choose('an adapter', { product: 'tiles' })).toBe(join(second, 'adapters.json'));
});
