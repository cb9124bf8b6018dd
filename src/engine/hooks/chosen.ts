import type { ForwardPass } from '../forward-pass.ts';
import type { BufferRange } from '../gpu/kernel.ts';
import { bindableRows, rowsOf } from '../gpu/row-ranges.ts';
import type { Tensor } from '../gpu/tensor.ts';
import type { HeadSlice } from '../architectures/steps.ts';
import { editActivation, gatherActivation } from './kernels.ts';
import type { PlannedEdit } from './planned-edit.ts';
import type { Selection } from './selection.ts';
import type { HookTools } from './tools.ts';

const THREADS = 64;
const OPERATIONS = { replace: 0, add: 1, multiply: 2, uniform: 3 } as const;

/** A chosen row: where it lies, where it lies in what it is copied to or changed by, and its position in the sequence. */
export type ChosenRow = readonly [from: number, to: number, position: number];
export type ChosenHead = readonly [from: number, to: number];

/** Rows of heads in a buffer, and those of them that are chosen. */
export interface Chosen {
  readonly binding: BufferRange | GPUBuffer;
  readonly rows: readonly ChosenRow[];
  readonly heads: readonly ChosenHead[];
  readonly headWidth: number;
  readonly rowStride: number;
  readonly headStride: number;
  readonly firstElement: number;
}

/** The rows and heads as the kernels read them. */
export function indicesOf({ rows, heads }: Pick<Chosen, 'rows' | 'heads'>): Uint32Array {
  return Uint32Array.from([...rows.flat(), ...heads.flat()]);
}

/** Bytes of the indices that a command over what is chosen uploads. */
export function indexBytes({ rows, heads }: Pick<Chosen, 'rows' | 'heads'>): number {
  return 4 * (3 * rows.length + 2 * heads.length);
}

/** Records a copy of what is chosen: to[row][1]·rowStride + to[head][1]·headStride. */
export function recordGather(
  { pass, uploads }: HookTools,
  chosen: Chosen,
  to: { readonly buffer: GPUBuffer; readonly rowStride: number; readonly headStride: number },
): void {
  pass.recorder.dispatch(gatherActivation, {
    bindings: {
      indices: uploads.add('chosen rows', indicesOf(chosen)),
      source: chosen.binding,
      gathered: to.buffer,
    },
    uniforms: {
      ...uniformsOf(chosen),
      gatheredRowStride: to.rowStride,
      gatheredHeadStride: to.headStride,
    },
    workgroups: gridOf(chosen),
  });
  pass.count(chosen.rows.length * chosen.heads.length * chosen.headWidth);
}

/** Records a change of what is chosen by values on the GPU; the value number `firstValue` belongs to row 0 and head 0. */
export function recordEdit(
  { pass, uploads }: HookTools,
  chosen: Chosen,
  kind: keyof typeof OPERATIONS,
  {
    buffer,
    strides,
    firstValue,
  }: { buffer: GPUBuffer; firstValue: number } & Pick<PlannedEdit['value'], 'strides'>,
): void {
  pass.recorder.dispatch(editActivation, {
    bindings: {
      indices: uploads.add('chosen rows', indicesOf(chosen)),
      values: buffer,
      edited: chosen.binding,
    },
    uniforms: {
      ...uniformsOf(chosen),
      valueRowStride: strides.row,
      valueHeadStride: strides.head,
      valueStep: strides.element,
      firstValue,
      operation: OPERATIONS[kind],
    },
    workgroups: gridOf(chosen),
  });
  pass.count(chosen.rows.length * chosen.heads.length * chosen.headWidth);
}

/**
 * The chosen rows of some sequences in a tensor [B·T, columns], cut where a binding or a dispatch ends. `to` counts the
 * chosen rows of each sequence.
 */
export function chosenInRows(
  pass: ForwardPass,
  tensor: Tensor,
  { heads, headWidth, headStride, offset }: HeadSlice,
  selection: Pick<Selection, 'positions' | 'heads'>,
  sequence: number,
): Chosen[] {
  if (heads < selection.heads.length) throw new RangeError(`${tensor.label} has ${heads} heads`);
  const first = sequence * pass.tokens;
  const rowStride = tensor.shape[1]!;
  return bindableRows(pass.gpu, tensor).flatMap(([start, count]): Chosen[] => {
    const rows = selection.positions
      .map((position, index): ChosenRow => [first + position - start, index, position])
      .filter(([row]) => row >= 0 && row < count);
    if (rows.length === 0) return [];
    return [
      {
        binding: rowsOf(tensor, start, count),
        rows,
        heads: selection.heads.map((head, index): ChosenHead => [head, index]),
        headWidth,
        rowStride,
        headStride,
        firstElement: offset,
      },
    ];
  });
}

function uniformsOf({ rows, heads, headWidth, rowStride, headStride, firstElement }: Chosen) {
  return { rows: rows.length, heads: heads.length, headWidth, rowStride, headStride, firstElement };
}

function gridOf({ rows, heads, headWidth }: Chosen): [number, number] {
  return [Math.ceil((heads.length * headWidth) / THREADS), rows.length];
}
