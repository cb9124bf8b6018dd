import { jsonText } from '../../analysis/json.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { elementCount } from '../../engine/gpu/tensor.ts';
import type { PlannedHooks } from '../../engine/hooks.ts';
import { planWeights } from '../../engine/memory.ts';
import type { TensorDeclaration } from '../../engine/safetensors.ts';
import { formatTable } from '../table.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

/** What a plan is for. */
export interface CaptureSubject {
  readonly description: ModelDescription;
  readonly id: string;
  readonly tokens: number;
  readonly hooks: PlannedHooks;
  /** What the file would hold. */
  readonly tensors: readonly TensorDeclaration[];
}

/** `laminar capture --plan`: what a run will need, from the checkpoint's headers and the adapter; no weight is read. */
export async function printCapturePlan(
  { description, id, tokens, hooks, tensors }: CaptureSubject,
  { json = false }: { readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  using gpu = await context.openGpu(description.sizes.all);
  const { memoryLimit, adapter } = gpu;
  const activations = description.activationBytes(1, tokens, hooks);
  const weights = planWeights(description.sizes, activations, memoryLimit);
  const captures = hooks.captureBytes;
  const file = tensors.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  const total = weights.bytes + activations;
  // Copies are handed over one by one where memory is short.
  const minGpu = weights.minBytes + activations - captures + Math.max(0, ...tensorBytes(hooks));
  const operations = description.operations(1, tokens);
  context.terminal.endStages();
  if (json) {
    const answer = {
      model: id,
      tokens,
      adapter,
      gpu_memory_limit: Number.isFinite(memoryLimit) ? memoryLimit : null,
      fits: minGpu <= memoryLimit,
      gpu_bytes: {
        total,
        least: Math.min(minGpu, total),
        weights: weights.bytes,
        weights_resident: weights.isResident,
        activations: activations - captures,
        captures,
      },
      file_bytes: file,
      tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      operations,
    };
    process.stdout.write(jsonText(answer, 'plan'));
    return;
  }
  const bound = Number.isFinite(memoryLimit)
    ? `a bound of ${formatBytes(memoryLimit)} of GPU memory`
    : 'no bound';
  const rows = [
    ['weights', formatBytes(weights.bytes), weights.isResident ? 'stay' : 'stream, two blocks at once'],
    ['activations', formatBytes(activations - captures), `${tokens} tokens`],
    ['captures', formatBytes(captures), 'copies on their way'],
    ['GPU buffers', formatBytes(total), `at least ${formatBytes(Math.min(minGpu, total))}`],
    ['file', formatBytes(file), `${tensors.length} tensors`],
    ['forward', operations.toExponential(2).replace('e+', 'e'), 'floating-point operations'],
  ];
  const advice =
    minGpu <= memoryLimit
      ? ''
      : `\nThis does not fit: give --gpu-memory ${Math.ceil(minGpu)} or more, or take fewer tokens.\n`;
  printText(
    `${id}, ${tokens} tokens, on ${adapter.description} with ${bound}; at most:\n\n${formatTable(['', '', ''], rows)}${advice}`,
  );
}

function tensorBytes(hooks: PlannedHooks): number[] {
  return hooks.captures.map(({ shape }) => 4 * elementCount(shape));
}
