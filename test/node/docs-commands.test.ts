import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { laminarHere } from './run-here.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guides = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));

/** The command lines of a page's blocks of shell, each in words. */
async function commandLines(page: string): Promise<string[][]> {
  const text = await readFile(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/ #.*$/, '').trim())
    .filter((line) => /^(npx )?laminar /.test(line))
    .map((line) => line.replace(/^(npx )?laminar /, '').split(/\s+/));
}

const helps = new Map<string, string>();

it.each(['README.md', ...guides.map((name) => `docs/${name}`)])(
  '%s names commands and flags that there are',
  async (page) => {
    for (const [command = '', ...words] of await commandLines(page)) {
      if (!helps.has(command)) {
        const { code, stdout } = await laminarHere([command, '--help']);
        expect(code, command).toBe(0);
        helps.set(command, stdout);
      }
      for (const word of words.filter((each) => each.startsWith('--')))
        expect(helps.get(command), `${command} ${word}`).toContain(`${word.replace(/=.*/, '')} `);
    }
  },
);
