import type { AttentionLayout } from './architectures/steps.ts';
import { ConfigError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Recording } from './gpu/pace.ts';
import { alignedRowsOf, MAX_WORKGROUPS } from './gpu/row-ranges.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { AttentionVariant, Tuning } from './gpu/tuning.ts';
import { attention, attentionLanes, attentionWide, MAX_HEAD_WIDTH, MAX_WIDE_HEAD_WIDTH } from './kernels.ts';

/** The kernel of each variant of attention, the queries that one workgroup takes, and its threads where they are a subgroup. */
const ATTENTION_VARIANTS = {
  staged: { kernel: attention, queries: 16, lanes: 0 },
  wide: { kernel: attentionWide, queries: 64, lanes: 0 },
  lanes: { kernel: attentionLanes, queries: 8, lanes: 4 },
  eight: { kernel: attentionLanes, queries: 16, lanes: 8 },
} as const satisfies Record<AttentionVariant, unknown>;

/** The kernel of attention for heads of a width, its constants, and the queries that one workgroup takes. */
export function attentionOf(
  { attention: chosen, attentionDepth: depth }: Pick<Tuning, 'attention' | 'attentionDepth'>,
  headWidth: number,
) {
  const isTooWide = chosen === 'wide' && headWidth > MAX_WIDE_HEAD_WIDTH;
  const { lanes, ...variant } = ATTENTION_VARIANTS[isTooWide ? 'staged' : chosen];
  return { ...variant, constants: { headWidth, depth, lanes } };
}

/**
 * Records causal attention within each sequence: output ← softmax(scale · queries · keysᵀ) · values, per head.
 *
 * @param queryKeyValue F32 [B·T, any number of columns], as the layout says
 * @param output F32 [B·T, heads · headWidth]
 * @param batch B sequences of T tokens
 * @throws ConfigError if heads are too wide, DeviceError if a binding cannot hold one sequence
 */
export function recordAttention(
  gpu: Gpu,
  recording: Recording,
  queryKeyValue: Tensor,
  output: Tensor,
  layout: AttentionLayout,
  { sequences, tokens }: { readonly sequences: number; readonly tokens: number },
): void {
  const { heads, keyValueHeads = heads, headWidth, headStride, keyOffset, valueOffset, scale } = layout;
  if (headWidth > MAX_HEAD_WIDTH) {
    throw new ConfigError(`heads of width ${headWidth} are not supported; the widest is ${MAX_HEAD_WIDTH}`, {
      code: 'config-unsupported',
      subject: { kind: 'key', name: 'head_dim' },
    });
  }
  const { kernel, constants, queries } = attentionOf(gpu.tuning, headWidth);
  // Half of the products with all keys, and of those with all values.
  const work = 2 * tokens ** 2 * heads * headWidth;
  const isOneBinding = [queryKeyValue, output].every(({ size }) => 4 * size <= gpu.bindingLimit);
  const together = isOneBinding
    ? Math.min(Math.max(1, Math.floor(recording.budget / work)), sequences, MAX_WORKGROUPS)
    : 1;
  for (let sequence = 0; sequence < sequences; sequence += together) {
    const count = Math.min(together, sequences - sequence);
    const rows = [sequence * tokens, count * tokens] as const;
    const source = alignedRowsOf(gpu, queryKeyValue, ...rows);
    const target = alignedRowsOf(gpu, output, ...rows);
    recording.recorder.dispatch(kernel, {
      bindings: { queryKeyValue: source.binding, output: target.binding },
      uniforms: {
        tokens,
        heads,
        stride: queryKeyValue.shape[1]!,
        headStride,
        keyOffset,
        valueOffset,
        scale,
        firstInput: source.firstElement,
        firstOutput: target.firstElement,
        groupSize: heads / keyValueHeads,
      },
      constants,
      workgroups: [Math.ceil(tokens / queries), heads, count],
    });
    recording.count(count * work);
  }
}
