import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { Recording } from '../../src/engine/gpu/pace.ts';
import { recordLinear } from '../../src/engine/matrix-product.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import { MatrixSource } from '../support/matrices.ts';
import { limitedGpu, loadAndRecord } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test('small budgets cut a pass into more submissions, and change no bit of its states', async () => {
  const { ids } = (await readGolden('gpt2-f16')).sequences[0]!;
  const submit = vi.spyOn(gpu.device.queue, 'submit');
  const runWith = async (firstWork: number) => {
    using paced = limitedGpu(gpu, { tuning: { firstWork, submissionMilliseconds: 1e-9 } });
    submit.mockClear();
    const run = await loadAndRecord(paced, goldenFiles('gpt2-f16'), [ids]);
    return { ...run, submissions: submit.mock.calls.length };
  };
  const whole = await runWith(1e15);
  const cut = await runWith(1);
  expect(cut.submissions).toBeGreaterThan(whole.submissions + 10);
  expect(cut.hiddenStates).toEqual(whole.hiddenStates);
  expect(cut.maxLogSoftmax).toEqual(whole.maxLogSoftmax);
});

test('a product larger than the budget is cut by rows', async () => {
  const [rows, inner, columns] = [300, 12, 20];
  const source = new MatrixSource(2);
  using input = gpu.upload('input', [rows, inner], source.random(rows, inner));
  using weight = gpu.upload('weight', [inner, columns], source.random(inner, columns));
  const runWith = async (budget: number) => {
    const counted: number[] = [];
    const recorder = gpu.recorder();
    const recording: Recording = { recorder, budget, count: (work) => counted.push(work) };
    using output = gpu.tensor('output', [rows, columns]);
    recordLinear(gpu, recording, input, output, { weight, layout: '[in, out]' }, false);
    recorder.submit();
    return { counted, values: await gpu.readFloats(output) };
  };
  const rowWork = 2 * inner * columns;
  const whole = await runWith(Infinity);
  const cut = await runWith(130 * rowWork);
  expect(whole.counted).toEqual([300 * rowWork]);
  expect(cut.counted).toEqual([128 * rowWork, 128 * rowWork, 44 * rowWork]);
  expect(cut.values).toEqual(whole.values);
});
