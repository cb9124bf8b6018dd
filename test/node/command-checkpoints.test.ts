import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { Report } from '../../src/analysis/report.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { folderFiles, openFile } from '../../src/node/files.ts';
import { rebuiltFiles } from '../support/rebuilt-files.ts';
import { useTinyPngs } from '../support/tiny-pngs.ts';
import { complaints } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);

const cases = (name: string) => fileURLToPath(new URL(`../golden/cases/${name}`, import.meta.url));

/** The case whose embedding has a NaN in row 100, tied: without the head of its own. */
async function tiedWithNaN(folder: string): Promise<string> {
  const model = join(folder, 'model');
  const source = cases('gpt2-nan-unused-row');
  const files = await rebuiltFiles(
    folderFiles(source),
    ({ tensors }) => void tensors.delete('lm_head.weight'),
  );
  await mkdir(model);
  for (const name of await files.list!()) {
    const file = (await files.open(name))!;
    await writeFile(join(model, name), await file.read(0, file.size));
  }
  await writeFile(join(folder, 'ids.json'), await readFile(join(source, 'ids.json')));
  return model;
}

test('a model without a head is profiled and captured without its logits, with one notice', async () => {
  useTinyPngs();
  const folder = await temporaryFolder();
  const model = cases('gpt2-untied-no-head');
  const ids = ['--ids', join(model, 'ids.json')];
  const profile = await laminarHere(['profile', model, ...ids, '--out', 'made'], { cwd: folder });
  expect(profile.code).toBe(0);
  expect(complaints(profile)).toBe(
    `laminar: ${model}: has no head (lm_head.weight); states are computed, and no logits`,
  );
  const report = JSON.parse(await readFile(join(folder, 'made', 'report.json'), 'utf8')) as Report;
  for (const sequence of Object.values(report.sequences)) {
    expect(sequence.max_log_softmax).toBeNull();
    expect(sequence.layers).toHaveLength(3);
  }
  const figures = await readdir(join(folder, 'made', 'figures'));
  expect(figures.filter((name) => name.endsWith('.svg'))).toHaveLength(5);
  expect(figures.join()).not.toContain('max-log-softmax');

  const logits = await laminarHere(['capture', model, ...ids, '--logits', '--out', 'states'], {
    cwd: folder,
  });
  expect(logits.code).toBe(2);
  expect(logits.stderr).toMatch(/laminar: --logits: .* has no head, so there are no logits; leave it out\n$/);
  const capture = await laminarHere(['capture', model, ...ids, '--out', 'states'], { cwd: folder });
  expect(capture.code).toBe(0);
  expect(complaints(capture)).toBe(complaints(profile));
  const file = await openFile(join(folder, 'states'));
  expect([...(await readHeader(file)).tensors.keys()].sort()).toEqual([
    'hidden_states',
    'ids',
    'residual_final',
  ]);
  await file.close();
});

test('a NaN in an embedding row that the text does not read costs the logits alone, and says so', async () => {
  useTinyPngs();
  const folder = await temporaryFolder();
  const model = await tiedWithNaN(folder);
  const ids = ['--ids', 'ids.json'];
  for (const memory of [[], ['--gpu-memory', '390000']]) {
    const arguments_ = [...memory, 'capture', model, ...ids];
    const capture = await laminarHere([...arguments_, '--out', 'states'], { cwd: folder });
    expect(capture.code, capture.stderr).toBe(0);
    expect(complaints(capture)).toMatch(/^laminar: [^\n]*wte\.weight[^\n]*$/);
    expect(capture.stdout).not.toContain('max_log_softmax');
    const logits = await laminarHere([...arguments_, '--logits', '--out', 'logits'], { cwd: folder });
    expect(logits.code).toBe(1);
    expect(logits.stderr).toMatch(/laminar: --logits: tensor transformer\.wte\.weight in .* holds a NaN/);
  }
  const profile = await laminarHere(['profile', model, ...ids, '--json'], { cwd: folder });
  expect(profile.code).toBe(0);
  expect(complaints(profile)).toMatch(/^laminar: [^\n]*wte\.weight[^\n]*$/);
  expect((JSON.parse(profile.stdout) as Report).sequences.real.max_log_softmax).toBeNull();
});
