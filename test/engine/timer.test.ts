import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { ForwardPass } from '../../src/engine/forward-pass.ts';

test('times that no one can read any more fail whoever asks for them, and no one else', async () => {
  const gpu = await openTestGpu({ timed: true });
  using pass = new ForwardPass(gpu, 64, 1, 64);
  const weight = gpu.upload('weight', [64], new Float32Array(64));
  pass.layerNorm(pass.residual, 'normed', { weight, bias: weight, epsilon: 1e-5 });
  pass.submit();
  gpu.dispose();
  // Vitest fails the run for a rejection that nobody has handled by now.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const times = gpu.timer?.totals() ?? Promise.reject(new Error('this adapter has no timestamps'));
  await expect(times).rejects.toThrow();
});
