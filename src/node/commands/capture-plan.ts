import { processBytes } from '../../analysis/plan.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { elementCount } from '../../engine/gpu/tensor.ts';
import type { PlannedHooks } from '../../engine/hooks.ts';
import { planWeights } from '../../engine/memory.ts';
import type { TensorDeclaration } from '../../engine/safetensors-tensors.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';
import {
  buffersRow,
  operationsRow,
  planJson,
  planTable,
  processRow,
  readsRow,
  weightsRow,
} from './plan-output.ts';

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
  // If there is little memory, copies are handed over one by one.
  const min = weights.minBytes + activations - captures + Math.max(0, ...tensorBytes(hooks));
  const memory = { weights, gpu: total, minGpu: Math.min(min, total) };
  const forward = description.operations(1, tokens);
  const { read, embeddingRow } = description.sizes;
  const reads = read + tokens * embeddingRow;
  const host =
    processBytes(Math.max(min, Math.min(total, memoryLimit)), adapter.software) +
    Math.max(0, ...tensorBytes(hooks));
  context.terminal.endStages();
  const subject = { id, tokens, adapter, memoryLimit };
  if (json) {
    const fields = {
      gpuBytes: { activations: activations - captures, captures },
      others: {
        host_bytes: host,
        read_bytes: reads,
        file_bytes: file,
        tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
        operations: { forward },
      },
    };
    process.stdout.write(planJson(subject, memory, fields));
    return;
  }
  const table = planTable(subject, memory, `${tokens} tokens`, [
    weightsRow(memory),
    ['activations', formatBytes(activations - captures), `${tokens} tokens`],
    ['captures', formatBytes(captures), 'copies on their way'],
    buffersRow(memory),
    processRow(host, adapter),
    readsRow(reads),
    ['file', formatBytes(file), `${tensors.length} tensors`],
    operationsRow('forward', forward),
  ]);
  printText(table);
}

function tensorBytes(hooks: PlannedHooks): number[] {
  return hooks.captures.map(({ shape }) => 4 * elementCount(shape));
}
