import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { profileSequences } from '../../src/analysis/profile.ts';
import { shuffleTokens } from '../../src/analysis/shuffle.ts';
import { describeModel } from '../../src/engine/description.ts';
import { useDevice } from '../../src/engine/gpu/open.ts';
import { Model } from '../../src/engine/model.ts';
import { findAdapter, openNodeGpu } from '../../src/node/gpu.ts';
import { FaultyDevice } from '../support/faulty-device.ts';
import { goldenFiles } from '../support/golden.ts';
import { tell } from './extent.ts';

const PROFILES = 200;
const DEVICES = 40;
const MODEL = 'gpt2-inverse-layer-scale';
const real = Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6);
const ids = { real, shuffled: shuffleTokens(real, 28) };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

async function profile(device: GPUDevice, onForward?: (done: number) => void) {
  const own = useDevice(device);
  try {
    const description = await describeModel(goldenFiles(MODEL));
    try {
      using model = await Model.load(own, description);
      const options = { threshold: 95, ...(onForward && { onForward }) };
      return (await profileSequences(own, model, ids, options)).singularValues;
    } finally {
      await description.close();
      expect(own.allocatedBytes).toBe(0);
    }
  } finally {
    own.dispose();
  }
}

test('many profiles in one process take no more memory than a few', async () => {
  using gpu = await openNodeGpu();
  const counted = new FaultyDevice(gpu.device);
  const heaps: number[] = [];
  const sizes: number[] = [];
  for (let count = 0; count < PROFILES; count += 1) {
    await profile(counted.device);
    expect(counted.buffers.size).toBe(0);
    if ((count + 1) % 50 !== 0) continue;
    await gpu.device.queue.onSubmittedWorkDone();
    collectGarbage();
    heaps.push(process.memoryUsage().heapUsed);
    sizes.push(process.memoryUsage().rss);
  }
  tell(
    `${PROFILES} profiles in one process: heap ${heaps.map(megabytes).join(', ')} MB and process ` +
      `${sizes.map(megabytes).join(', ')} MB after 50, 100, 150, 200; buffers left: 0`,
  );
  expect(heaps.at(-1)! - heaps[0]!).toBeLessThan(10e6);
});

test('devices that are destroyed at any step leave the next one right', async () => {
  using gpu = await openNodeGpu();
  const expected = await profile(gpu.device);
  let failed = 0;
  for (let count = 0; count < DEVICES; count += 1) {
    const { adapter } = await findAdapter();
    const device = await adapter.requestDevice();
    const at = count % 8;
    let steps = 0;
    const run = profile(device, () => {
      if (steps++ === at) device.destroy();
    });
    const outcome = await run.then(
      () => 'done',
      (error: unknown) => (error as Error).name,
    );
    device.destroy();
    expect(['done', 'DeviceError']).toContain(outcome);
    if (outcome === 'DeviceError') failed += 1;
  }
  expect(await profile(gpu.device)).toEqual(expected);
  tell(
    `${DEVICES} devices destroyed during a profile: ${failed} ended with a DeviceError, ${DEVICES - failed} after their last ` +
      'step, no buffer left, the next profile right',
  );
});
