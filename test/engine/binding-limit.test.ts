import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import { gatherRows, recordEmbedding } from '../../src/engine/embedding.ts';
import { DeviceError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { Tensor } from '../../src/engine/gpu/tensor.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import { limitedGpu, loadAndRecord, streamingLimit } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  gpu.dispose();
});

/** Notes every tensor that a runtime makes. */
function watchTensors(limited: Gpu): Tensor[] {
  const made: Tensor[] = [];
  const make = limited.tensor.bind(limited);
  vi.spyOn(limited, 'tensor').mockImplementation((...parameters) => {
    const tensor = make(...parameters);
    made.push(tensor);
    return tensor;
  });
  return made;
}

/** Notes the bytes of every storage binding. */
function watchBindings(device: GPUDevice): number[] {
  const sizes: number[] = [];
  const make = device.createBindGroup.bind(device);
  vi.spyOn(device, 'createBindGroup').mockImplementation((descriptor) => {
    for (const { binding, resource } of descriptor.entries) {
      const { buffer, offset = 0, size } = resource as GPUBufferBinding;
      if (binding > 0) sizes.push(size ?? buffer.size - offset);
    }
    return make(descriptor);
  });
  return sizes;
}

/** Matrices of each model that do not fit the limit, by their names in the description. */
const split = {
  gpt2: [/c_attn\.weight$/, /attn\.c_proj\.weight$/, /c_fc\.weight$/, /mlp\.c_proj\.weight$/, /wte\.weight$/],
  neox: [
    /query_key_value\.weight$/,
    /dense_h_to_4h\.weight$/,
    /dense_4h_to_h\.weight$/,
    /embed_out\.weight$/,
  ],
} as const;

describe.each([
  { name: 'gpt2-inverse-layer-scale', tokens: 12, limit: 8192, tables: split.gpt2, smallest: 12 * 144 * 4 },
  { name: 'neox-f16', tokens: 9, limit: 9 * 192 * 4, tables: split.neox, smallest: 9 * 192 * 4 },
  { name: 'neox-full-rotary', tokens: 10, limit: 10 * 288 * 4, tables: split.neox, smallest: 10 * 288 * 4 },
] as const)('$name with bindings of $limit bytes', ({ name, tokens, limit, tables, smallest }) => {
  test('tables are split by rows, and two sequences give the same states within 1e-6', async () => {
    const ids = (await readGolden(name)).sequences[0]!.ids.slice(0, tokens);
    const batch = [ids, ids.map((id) => (id + 11) % 307)];
    const whole = await loadAndRecord(gpu, goldenFiles(name), batch);
    for (const memoryLimit of [Infinity, await streamingLimit(gpu, goldenFiles(name))]) {
      using limited = limitedGpu(gpu, { bindingLimit: limit, memoryLimit });
      const tensors = watchTensors(limited);
      const bindings = watchBindings(gpu.device);
      const run = await loadAndRecord(limited, goldenFiles(name), batch);
      expect(run.isResident).toBe(memoryLimit === Infinity);
      vi.restoreAllMocks();

      expect(bindings.length).toBeGreaterThan(0);
      expect(Math.max(...bindings)).toBeLessThanOrEqual(limit);
      for (const table of run.isResident ? tables : tables.slice(0, -1)) {
        const parts = tensors.filter(({ label }) => table.test(label)).map((tensor) => tensor.parts.length);
        expect(Math.max(...parts), String(table)).toBeGreaterThan(1);
      }
      run.hiddenStates.forEach((state, layer) => {
        expect(relativeDistance(state, whole.hiddenStates[layer]!), `state ${layer}`).toBeLessThanOrEqual(
          1e-6,
        );
      });
      expect(relativeDistance(run.residualFinal, whole.residualFinal)).toBeLessThanOrEqual(1e-6);
      expect(run.argmax).toEqual(whole.argmax);
      run.maxLogSoftmax!.forEach((values, index) => {
        expect(largestDifference(values, whole.maxLogSoftmax![index]!)).toBeLessThan(1e-5);
      });
      expect(limited.allocatedBytes).toBe(0);
    }
  });

  test("a limit under one sequence's queries, keys and values is refused", async () => {
    const ids = (await readGolden(name)).sequences[0]!.ids.slice(0, tokens);
    using limited = limitedGpu(gpu, { bindingLimit: smallest - 4 });
    const run = loadAndRecord(limited, goldenFiles(name), [ids]);
    await expect(run).rejects.toThrow(DeviceError);
    await expect(run).rejects.toThrow(/take fewer tokens/);
    await expect(run).rejects.toMatchObject({ code: 'binding-limit', subject: { kind: 'tensor' } });
    expect(limited.allocatedBytes).toBe(0);
  });
});

test('gathered rows that are split are looked up part by part', async () => {
  const description = await describeModel(goldenFiles('gpt2-f16'));
  const { table } = description.weights.embeddings[1]!;
  const { shape } = table;
  const rows = Int32Array.from({ length: 23 }, (_, index) => (5 * index) % 64);
  const look = async (device: Gpu): Promise<[number, Float32Array]> => {
    using gathered = await gatherRows(device, table, rows);
    const { buffer } = gathered.indices;
    using output = device.tensor('rows', [rows.length, shape[1]!]);
    expect(buffer.size).toBe(92);
    const recorder = device.recorder();
    recordEmbedding(device, recorder, gathered, output, false);
    recorder.submit();
    return [gathered.table.parts.length, await device.readFloats(output)];
  };
  const [parts, expected] = await look(gpu);
  expect(parts).toBe(1);
  // The output must stay in one buffer: its rows are F32, twice as long as the table's.
  using limited = limitedGpu(gpu, { bindingLimit: 1024 });
  using gathered = await gatherRows(limited, table, rows);
  expect(gathered.table.parts.length).toBeGreaterThan(1);
  using output = gpu.tensor('rows', [rows.length, shape[1]!]);
  const recorder = gpu.recorder();
  recordEmbedding(limited, recorder, gathered, output, false);
  recorder.submit();
  expect(await gpu.readFloats(output)).toEqual(expected);
  await description.close();
});
