import { readFixture } from '#platform';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InputError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { openBrowserGpu } from '../../src/engine/gpu/open.ts';
import type { SequenceRun } from '../../src/engine/sequence-run.ts';
import { forget, listKept, loadModel } from '../../src/web/index.ts';
import type { NamedModel } from '../../src/web/index.ts';
import { relativeDistance } from '../support/distance.ts';
import { readActivations } from '../support/golden-activations.ts';

/** `laminar-webgpu/web` in a browser: the same answers, wherever a model's files come from. */

const CASE = 'gpt2-plain';
const FOLDER = `test/golden/activations/${CASE}`;
const FILES = ['config.json', 'model.safetensors'];
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openBrowserGpu();
});
afterAll(() => {
  gpu.dispose();
});

async function run(from: NamedModel, stages?: Set<string>): Promise<SequenceRun> {
  const { ids } = await readActivations(CASE);
  using model = await loadModel(from, { gpu, onProgress: ({ stage }) => stages?.add(stage) });
  return await model.run(ids[0]!, { capture: ['blocks.*.hook_resid_post'] });
}

test('an address, the files of a folder and a hub id give the golden answers, bit for bit the same', async () => {
  const golden = await readActivations(CASE);
  const address = new URL(`/fixtures/${FOLDER}`, location.href);
  const stages = new Set<string>();
  const fromAddress = await run(address, stages);
  expect([...stages]).toEqual(['fetch', 'load']);
  const captured = Object.values(fromAddress.activations);
  expect(captured.length).toBeGreaterThan(1);
  for (const { name, shape, values } of captured) {
    const expected = golden.activations.get(`a.${name}`)!;
    expect(shape).toEqual(expected.shape);
    expect(relativeDistance(values, expected.values), name).toBeLessThan(1e-5);
  }

  const files = await Promise.all(
    FILES.map(async (name) => new File([await readFixture(`${FOLDER}/${name}`)], name)),
  );
  expect(await run(files)).toEqual(fromAddress);

  // The hub, played by the test's own server.
  const hub = 'https://huggingface.co/';
  const realFetch = globalThis.fetch;
  const asked: string[] = [];
  globalThis.fetch = (input, init) => {
    const url = String(input);
    if (!url.startsWith(hub)) return realFetch(input, init);
    const path = url.slice(hub.length);
    asked.push(path);
    if (!path.startsWith('api/'))
      return realFetch(`/fixtures/${FOLDER}/${path.replace(`gpt2/resolve/${COMMIT}/`, '')}`, init);
    const siblings = files.map(({ name, size }) => ({ rfilename: name, size }));
    return Promise.resolve(Response.json({ sha: COMMIT, siblings: [...siblings, { rfilename: '../up' }] }));
  };
  try {
    expect(await run('gpt2')).toEqual(fromAddress);
    expect(asked[0]).toBe('api/models/gpt2/revision/main?blobs=true');
    const before = asked.length;
    // The second time its blocks are kept.
    expect(await run('https://huggingface.co/gpt2')).toEqual(fromAddress);
    expect(asked.length).toBe(before + 1);
  } finally {
    globalThis.fetch = realFetch;
  }
  const kept = (await listKept('model')).map(({ name }) => name);
  expect(kept).toEqual(expect.arrayContaining([CASE, `gpt2@${COMMIT.slice(0, 12)}`]));
  for (const name of kept) await forget('model', name);
  expect(await listKept('model')).toEqual([]);
});

test('what can be no model is refused as a wrong input', async () => {
  for (const [from, revision] of [
    ['not a model', undefined],
    [[], undefined],
    [new URL('/fixtures/', location.href), 'main'],
    ['gpt2@main', 'other'],
    ['gpt2', 'a..b'],
  ] as const)
    await expect(loadModel(from, { revision }), String(from)).rejects.toBeInstanceOf(InputError);
});
