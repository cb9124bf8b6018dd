import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTestGpu } from '#platform';
import { kernelAlignmentLong, principalAnglesLong } from '../../src/analysis/measures/pairs.ts';
import { profileSequences } from '../../src/analysis/profile.ts';
import { atOnce, inSlices, unlessAborted } from '../../src/engine/abort.ts';
import { describeModel } from '../../src/engine/description.ts';
import type { ByteSource, ModelFiles } from '../../src/engine/files.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { useDevice } from '../../src/engine/gpu/open.ts';
import { LoadedModel } from '../../src/engine/loaded-model.ts';
import { Model } from '../../src/engine/model.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import { FaultyDevice } from '../support/faulty-device.ts';
import type { DeviceCall } from '../support/faulty-device.ts';
import { goldenFiles } from '../support/golden.ts';
import { some } from './extent.ts';

const MODEL = 'gpt2-inverse-layer-scale';
const reason = new Error('the user has gone');
/** Ends what hangs; no clock decides. */
const PATIENCE = 600_000;
const ids = Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6);

/** Files whose reads of one name never end; `closed` counts what was opened and closed again. */
function hangingFiles(hanging: string) {
  const files = goldenFiles(MODEL);
  let arrive: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (arrive = resolve));
  const count = { open: 0 };
  const slow: ModelFiles = {
    ...files,
    open: async (name) => {
      const source = await files.open(name);
      if (!source) return undefined;
      count.open += 1;
      const own: ByteSource = {
        name: source.name,
        size: source.size,
        read: (offset, length) => {
          if (name !== hanging) return source.read(offset, length);
          arrive();
          return new Promise(() => undefined);
        },
        close: () => {
          count.open -= 1;
          return source.close();
        },
      };
      return own;
    },
  };
  return { files: slow, begun, count };
}

test.each(['config.json', 'model.safetensors'])(
  'opening a model hears its signal while %s hangs',
  async (name) => {
    for (const open of [describeModel, LoadedModel.open]) {
      const { files, begun } = hangingFiles(name);
      const stop = new AbortController();
      const opened = open(files, { signal: stop.signal });
      void begun.then(() => stop.abort(reason));
      await expect(opened).rejects.toBe(reason);
    }
  },
);

test('a tokenizer that hangs hears it, and what was aborted before begins nothing', async () => {
  const files = goldenFiles(MODEL);
  const stop = new AbortController();
  const waiting = loadTokenizer(
    { ...files, open: () => new Promise<undefined>(() => stop.abort(reason)) },
    { signal: stop.signal },
  );
  await expect(waiting).rejects.toBe(reason);
  const open = vi.fn(() => Promise.resolve(undefined));
  for (const begin of [describeModel, loadTokenizer, LoadedModel.open])
    await expect(begin({ ...files, open }, { signal: stop.signal })).rejects.toBe(reason);
  expect(open).not.toHaveBeenCalled();
});

test('what arrives after the abort is closed', async () => {
  const { files, count } = hangingFiles('nothing');
  const stop = new AbortController();
  const opened = describeModel(
    {
      ...files,
      open: (name) => {
        if (name === 'model.safetensors') stop.abort(reason);
        return files.open(name);
      },
    },
    { signal: stop.signal },
  );
  await expect(opened).rejects.toBe(reason);
  await vi.waitFor(() => expect(count.open).toBe(0), PATIENCE);
});

test('work in slices pauses for others, hears a signal there, and gives what it gives at once', async () => {
  const clock = vi.spyOn(performance, 'now');
  let now = 0;
  clock.mockImplementation(() => (now += 15));
  function* count(to: number): Generator<number, string> {
    for (let step = 1; step <= to; step += 1) yield step;
    return 'done';
  }
  const pauses: number[] = [];
  expect(await inSlices(count(9), undefined, (step) => pauses.push(step))).toBe('done');
  expect(pauses).toEqual([3, 6, 9]);
  const stop = new AbortController();
  await expect(inSlices(count(Infinity), stop.signal, () => stop.abort(reason))).rejects.toBe(reason);
  await expect(inSlices(count(1), stop.signal)).rejects.toBe(reason);
  expect(atOnce(count(5))).toBe('done');
  clock.mockRestore();
  for (const compare of [kernelAlignmentLong, principalAnglesLong]) {
    const matrix = { name: 'a', rows: 4, columns: 2, values: Float32Array.of(1, 2, 0, 1, 3, 3, 2, 0) };
    await expect(compare(matrix, matrix, { signal: stop.signal })).rejects.toBe(reason);
    expect(await compare(matrix, { ...matrix, name: 'b' })).not.toBeNull();
  }
});

test('a wait that is given up lets go of its signal, and frees what comes too late', async () => {
  const stop = new AbortController();
  const remove = vi.spyOn(stop.signal, 'removeEventListener');
  expect(await unlessAborted(Promise.resolve(7), stop.signal)).toBe(7);
  expect(remove).toHaveBeenCalledTimes(1);
  const late = vi.fn();
  let arrive: (value: number) => void = () => undefined;
  const work = new Promise<number>((resolve) => (arrive = resolve));
  const waiting = unlessAborted(work, stop.signal, late);
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  arrive(8);
  await vi.waitFor(() => expect(late).toHaveBeenCalledWith(8), PATIENCE);
  await expect(unlessAborted(Promise.reject(new Error('late')), stop.signal)).rejects.toBe(reason);
});

let gpu: Gpu;
let faulty: FaultyDevice;
beforeAll(async () => {
  gpu = await openTestGpu();
  faulty = new FaultyDevice(gpu.device);
});
afterAll(() => {
  gpu.dispose();
});

test.each<DeviceCall>(['onSubmittedWorkDone', 'mapAsync'])(
  'a device that settles no %s any more: the abort is heard, and all is freed',
  async (call) => {
    const run = async (signal: AbortSignal) => {
      const own = useDevice(faulty.device, { signal });
      const description = await describeModel(goldenFiles(MODEL));
      try {
        using model = await Model.load(own, description, { signal });
        const options = { threshold: 95, signal };
        await profileSequences(own, model, { real: ids, shuffled: ids.toReversed() }, options);
      } finally {
        await description.close();
        expect(own.allocatedBytes).toBe(0);
        own.dispose();
      }
    };
    faulty.arm();
    await run(new AbortController().signal);
    const total = faulty.calls.get(call)!;
    for (const at of some(total, 3)) {
      faulty.arm(call, at, 'hangs');
      const stop = new AbortController();
      const aborted = run(stop.signal);
      await vi.waitFor(() => expect(faulty.hangs).toBe(true), PATIENCE);
      setTimeout(() => stop.abort(reason), 5);
      await expect(aborted, `${call} ${at} of ${total}`).rejects.toBe(reason);
      expect(faulty.buffers.size).toBe(0);
    }
  },
);

test('the signal of a run ends its wait for a device that is slow, and the model stays usable', async () => {
  faulty.arm();
  using own = useDevice(faulty.device);
  const description = await describeModel(goldenFiles(MODEL));
  using model = await Model.load(own, description);
  faulty.arm();
  const { argmax } = await model.run([ids]);
  faulty.arm('mapAsync', faulty.calls.get('mapAsync')!, 'hangs');
  const stop = new AbortController();
  const run = model.run([ids], { signal: stop.signal });
  await vi.waitFor(() => expect(faulty.hangs).toBe(true), PATIENCE);
  stop.abort(reason);
  await expect(run).rejects.toBe(reason);
  faulty.arm();
  expect((await model.run([ids])).argmax).toEqual(argmax);
  await description.close();
});
