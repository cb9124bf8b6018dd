import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { useDevice } from '../../src/engine/gpu/open.ts';
import { findAdapter } from '../../src/node/gpu.ts';
import { relativeDistance } from '../support/distance.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import { loadAndRecord } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

describe('a device that was lent without any feature', () => {
  test.each(['gpt2-f16', 'neox-f32-sequential'] as const)(
    'runs %s with the portable kernels, to the same states',
    async (name) => {
      const { adapter } = await findAdapter();
      const device = await adapter.requestDevice();
      try {
        using lent = useDevice(device);
        expect(lent.tuning).toMatchObject({ lanes: 0, attention: 'staged' });
        expect(lent.tuning.product).not.toBe('lanes');
        const { ids } = (await readGolden(name)).sequences[0]!;
        const portable = await loadAndRecord(lent, goldenFiles(name), [ids]);
        const usual = await loadAndRecord(gpu, goldenFiles(name), [ids]);
        portable.hiddenStates.forEach((state, layer) => {
          expect(relativeDistance(state, usual.hiddenStates[layer]!)).toBeLessThan(1e-6 * (layer + 4));
        });
        expect(portable.argmax).toEqual(usual.argmax);
      } finally {
        device.destroy();
      }
    },
  );
});
