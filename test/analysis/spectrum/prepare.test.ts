import { expect, test, vi } from 'vitest';
import { openOwnGpu } from '#platform';
import { computeSpectra } from '../../../src/analysis/spectrum.ts';

test('what spectra take is compiled ahead, several kernels at once, and nothing else', async () => {
  using gpu = await openOwnGpu();
  const late = vi.spyOn(gpu.device, 'createComputePipeline');
  const ahead = vi.spyOn(gpu.device, 'createComputePipelineAsync');
  const used = vi.spyOn(gpu.kernels, 'pipeline');
  const [rows, columns] = [70, 66];
  using matrix = gpu.upload(
    'matrix',
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, at) => Math.sin(at)),
  );
  await computeSpectra(gpu, [{ name: 'matrix', buffer: matrix.buffer, offset: 0, rows, columns }]);
  expect(late).not.toHaveBeenCalled();
  const kernels = new Set(used.mock.calls.map(([{ name }]) => name));
  expect(ahead.mock.calls.map(([{ label = '' }]) => label.split(' ')[0]).sort()).toEqual([...kernels].sort());
});
