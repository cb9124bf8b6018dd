import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { profileSequences } from '../../src/analysis/profile.ts';
import { shuffleTokens } from '../../src/analysis/shuffle.ts';
import { describeModel } from '../../src/engine/description.ts';
import { DeviceError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { useDevice } from '../../src/engine/gpu/open.ts';
import { Model } from '../../src/engine/model.ts';
import { findAdapter } from '../../src/node/gpu.ts';
import { FaultyDevice } from '../support/faulty-device.ts';
import type { DeviceCall, Fault } from '../support/faulty-device.ts';
import { goldenFiles } from '../support/golden.ts';
import { streamingLimit } from '../support/model-runs.ts';
import { isWhole, some, tell } from './extent.ts';

/** Of the calls of one kind, so many are made to fail where not all are. */
const FEW = 1;
const MODEL = 'gpt2-inverse-layer-scale';
const real = Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6);
const ids = { real, shuffled: shuffleTokens(real, 28) };

let gpu: Gpu;
let faulty: FaultyDevice;
/** Of GPU memory, so that weights stream. */
let limit: number;
beforeAll(async () => {
  gpu = await openTestGpu();
  faulty = new FaultyDevice(gpu.device);
  limit = await streamingLimit(gpu, goldenFiles(MODEL));
});
afterAll(() => {
  gpu.dispose();
});

/** Everything that a profile does on a device: load, compute, read back, spectra. */
async function profile(device: GPUDevice, streams: boolean) {
  const own = useDevice(device, streams ? { memoryLimit: limit } : {});
  try {
    const description = await describeModel(goldenFiles(MODEL));
    try {
      using model = await Model.load(own, description);
      expect(model.isResident).toBe(!streams);
      const { singularValues } = await profileSequences(own, model, ids, { threshold: 95 });
      return singularValues;
    } finally {
      await description.close();
      expect(own.allocatedBytes).toBe(0);
    }
  } finally {
    own.dispose();
  }
}

/** Settles what waits for the device, so that nothing of a failed run meets the next. */
async function atRest(): Promise<void> {
  await gpu.device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * What is wrong with how a run ended that met a fault. It may still be right: where a block could not be loaded ahead it is
 * loaded when it is needed, and what fails when nothing is left to do with it passes unseen.
 */
function faultOf(outcome: unknown, expected: Awaited<ReturnType<typeof profile>>): string | undefined {
  if (outcome instanceof DeviceError) return undefined;
  if (outcome instanceof Error) return `ended with ${outcome.name}: ${outcome.message}`;
  return isDeepStrictEqual(outcome, expected) ? undefined : 'gave other numbers';
}

const faults: readonly (readonly [DeviceCall, Fault])[] = [
  ['createBuffer', 'throws'],
  ['createBuffer', 'out of memory'],
  ['createBindGroup', 'throws'],
  ['createCommandEncoder', 'throws'],
  ['submit', 'throws'],
  ['submit', 'internal error'],
  ['submit', 'lost'],
  ['writeBuffer', 'throws'],
  ['writeBuffer', 'out of memory'],
  ['onSubmittedWorkDone', 'throws'],
  ['onSubmittedWorkDone', 'rejects'],
  ['mapAsync', 'throws'],
  ['mapAsync', 'rejects'],
  ['mapAsync', 'lost'],
];

test.each([['resident', false], ...(isWhole ? ([['streaming', true]] as const) : [])] as const)(
  'a device that fails at any call of a %s profile: our error, all freed, the next run right',
  async (kindOfRun, streams) => {
    faulty.arm();
    const expected = await profile(faulty.device, streams);
    const counts = new Map(faulty.calls);
    expect(faulty.buffers.size).toBe(0);
    let injected = 0;
    const failures: string[] = [];
    for (const [call, kind] of faults) {
      const count = counts.get(call) ?? 0;
      expect(count, call).toBeGreaterThan(0);
      for (const at of some(count, FEW)) {
        faulty.arm(call, at, kind);
        const what = `${call} ${at} of ${count} ${kind}`;
        const outcome: unknown = await profile(faulty.device, streams).catch((failure: unknown) => failure);
        await atRest();
        const fault = faultOf(outcome, expected);
        if (fault !== undefined || faulty.buffers.size > 0)
          failures.push(`${what}: ${fault ?? 'ended as it should'}, ${faulty.buffers.size} buffers left`);
        injected += 1;
      }
      if (!isWhole && call !== faults.at(-1)![0]) continue;
      faulty.arm();
      expect(await profile(faulty.device, streams), `after ${call} ${kind}`).toEqual(expected);
    }
    expect(failures).toEqual([]);
    expect(injected).toBeGreaterThanOrEqual(faults.length);
    tell(`faults of a device at every call of a profile, ${kindOfRun}: ${injected}`);
  },
);

test('a compiler that fails is our error, and the next device compiles', async () => {
  for (const [call, kind] of [
    ['createShaderModule', 'throws'],
    ['createComputePipelineAsync', 'throws'],
    ['createComputePipelineAsync', 'rejects'],
  ] as const) {
    // A kernel that was compiled is kept as long as its device: each has its own.
    const other = new FaultyDevice(gpu.device);
    other.arm(call, 1, kind);
    await expect(profile(other.device, false), `${call} ${kind}`).rejects.toThrow(DeviceError);
    expect(other.buffers.size).toBe(0);
  }
});

test('a device of another program’s ends the run when it is destroyed, and not by errors of that program', async () => {
  const { adapter } = await findAdapter();
  const expected = await profile(gpu.device, false);
  // Default limits and no feature.
  const device = await adapter.requestDevice();
  const own = useDevice(device);
  const description = await describeModel(goldenFiles(MODEL));
  using model = await Model.load(own, description);
  // A mistake of the program's own: the run must end by the loss of the device alone.
  device.createBuffer({ size: 4, usage: 0xffff });
  await own.finish();
  const failed = profileSequences(own, model, ids, { threshold: 95, onForward: () => device.destroy() });
  await expect(failed).rejects.toThrow(DeviceError);
  await expect(failed).rejects.toThrow(/lost/);
  model.dispose();
  expect(own.allocatedBytes).toBe(0);
  own.dispose();

  const lent = new FaultyDevice(gpu.device);
  const theirs = useDevice(lent.device);
  using loaded = await Model.load(theirs, description);
  lent.tell(new GPUValidationError('a mistake of the program’s own'));
  const mistake = (): void => {
    lent.tell(new GPUValidationError('another'));
  };
  await profileSequences(theirs, loaded, ids, { threshold: 95, onForward: mistake });
  theirs.check();
  loaded.dispose();
  expect(theirs.allocatedBytes).toBe(0);
  theirs.dispose();
  expect(lent.buffers.size).toBe(0);
  await description.close();
  expect(await profile(gpu.device, false)).toEqual(expected);
});
