import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { smallTokenizer } from '../support/tokenizer-fixture.ts';
import { laminar } from './run-command.ts';
import { laminarHere } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

const alice = fileURLToPath(new URL('../../weights/alice-gpt2', import.meta.url));

/** A model of which tokens are bytes, and a text; the pattern cuts words. */
async function modelWithPattern(pattern: string, text: string): Promise<string> {
  const folder = await temporaryFolder();
  await cp(alice, join(folder, 'model'), { recursive: true });
  const pre_tokenizer = {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  };
  const tokenizer = smallTokenizer({ pre_tokenizer });
  await writeFile(join(folder, 'model', 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(folder, 'text.txt'), text);
  return folder;
}

const plan = ['capture', 'model', '--text', 'text.txt', '--plan', '--json'];

test('a pattern that backtracks without end is stopped by a signal', async () => {
  const cwd = await modelWithPattern('(a+)+b', 'a'.repeat(200));
  const { code } = await laminar(plan, { cwd, killWhen: ['SIGTERM', () => sleep(900, true)] });
  expect(code).toBe(143);
});

test('a pattern that repeats a group cuts the same words as any other', async () => {
  const text = (await readFile(join(alice, 'config.json'), 'utf8')).slice(0, 200);
  const cwd = await modelWithPattern('(?:[^ ]+ ?)+?', text);
  const { code, stdout, stderr } = await laminarHere(plan, { cwd });
  expect([code, stderr]).toEqual([0, expect.stringContaining(`has ${text.length} tokens`)]);
  expect(JSON.parse(stdout)).toMatchObject({ tokens: text.length });
});
