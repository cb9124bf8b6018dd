import type { HeadSlice } from '../architectures/steps.ts';
import { InputError } from '../errors.ts';
import { elementCount } from '../gpu/tensor.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { chosenInRows, indexBytes, recordEdit, recordGather } from './chosen.ts';
import type { Chosen } from './chosen.ts';
import type { PlannedEdit } from './planned-edit.ts';
import type { PlannedCapture } from './planned-hooks.ts';
import type { EditedPart } from './request.ts';
import { partShape } from './selection.ts';
import type { HookTools } from './tools.ts';

/** Changes an activation that lies in the rows of a tensor. */
export async function editRows(
  tools: HookTools,
  tensor: Tensor,
  slice: HeadSlice,
  edit: PlannedEdit,
): Promise<void> {
  const { selection, kind, value } = edit;
  if (kind === 'apply') return applyToRows(tools, tensor, slice, edit);
  if (kind === 'transform') return transformRows(tools, tensor, slice, edit);
  const buffer = await uploadValue(tools, edit);
  for (const [index, sequence] of selection.sequences.entries()) {
    const firstValue = index * value.strides.sequence;
    for (const chosen of chosenInRows(tools.pass, tensor, slice, selection, sequence)) {
      await tools.makeRoom(indexBytes(chosen));
      recordEdit(tools, chosen, kind, { buffer, strides: value.strides, firstValue });
    }
  }
  tools.uploads.release(buffer);
}

/** Brings an edit's value to the GPU; release the buffer when the edit is recorded. */
export async function uploadValue(tools: HookTools, { value, spec }: PlannedEdit): Promise<GPUBuffer> {
  await tools.makeRoom(value.values.byteLength);
  const buffer = tools.uploads.hold(`value for ${spec.name}`, value.values.byteLength);
  tools.pass.gpu.write(buffer, 0, value.values);
  return buffer;
}

async function applyToRows(
  tools: HookTools,
  tensor: Tensor,
  slice: HeadSlice,
  edit: PlannedEdit,
): Promise<void> {
  const { selection, spec } = edit;
  for (const sequence of selection.sequences) {
    const runs = chosenInRows(tools.pass, tensor, slice, selection, sequence);
    const { positions } = selection;
    const heads = spec.heads === undefined ? [] : selection.heads;
    const part = { name: spec.name, shape: partShape(spec, selection), sequence, positions, heads };
    const rowStride = selection.heads.length * slice.headWidth;
    await applyFunction(tools, runs, edit, part, { row: rowStride, head: slice.headWidth });
  }
}

/** Gathers each sequence's part into a matrix on the GPU, has it changed there, and writes it back. */
async function transformRows(
  tools: HookTools,
  tensor: Tensor,
  slice: HeadSlice,
  { selection, spec, transform }: PlannedEdit,
): Promise<void> {
  const { pass, uploads } = tools;
  const rows = selection.positions.length;
  const columns = selection.heads.length * slice.headWidth;
  const strides = { row: columns, head: slice.headWidth };
  for (const sequence of selection.sequences) {
    const runs = chosenInRows(pass, tensor, slice, selection, sequence);
    await tools.makeRoom(4 * rows * columns);
    const buffer = uploads.hold(`values of ${spec.name}`, 4 * rows * columns);
    await gatherInto(tools, runs, buffer, strides);
    await transform!({
      name: spec.name,
      sequence,
      gpu: pass.gpu,
      buffer,
      rows,
      columns,
      signal: pass.signal,
    });
    await writeBack(tools, runs, buffer, strides);
  }
}

/** Copies chosen values into a dense buffer, and submits that. */
async function gatherInto(
  tools: HookTools,
  runs: readonly Chosen[],
  buffer: GPUBuffer,
  strides: { readonly row: number; readonly head: number },
): Promise<void> {
  for (const chosen of runs) {
    await tools.makeRoom(indexBytes(chosen));
    recordGather(tools, chosen, { buffer, rowStride: strides.row, headStride: strides.head });
  }
  tools.pass.submit();
}

/** Records that chosen values become those of a dense buffer, which is released. */
async function writeBack(
  tools: HookTools,
  runs: readonly Chosen[],
  buffer: GPUBuffer,
  strides: { readonly row: number; readonly head: number },
): Promise<void> {
  for (const chosen of runs) {
    await tools.makeRoom(indexBytes(chosen));
    const all = { buffer, strides: { sequence: 0, ...strides, element: 1 }, firstValue: 0 };
    recordEdit(tools, chosen, 'replace', all);
  }
  tools.uploads.release(buffer);
}

/**
 * Reads chosen values, hands them to the user's function, and writes what it made of them.
 * @param runs where the values lie; together they are the part
 * @param strides of the part's rows and heads
 */
export async function applyFunction(
  tools: HookTools,
  runs: readonly Chosen[],
  { apply, spec }: PlannedEdit,
  part: EditedPart,
  strides: { readonly row: number; readonly head: number },
): Promise<void> {
  const { pass, uploads } = tools;
  const elements = elementCount(part.shape);
  await tools.makeRoom(4 * elements);
  const buffer = uploads.hold(`values of ${spec.name}`, 4 * elements);
  await gatherInto(tools, runs, buffer, strides);
  const values = new Float32Array(await pass.gpu.readBytes(buffer, 0, 4 * elements));
  const made = (await apply!(values, part)) ?? values;
  if (made.length !== elements) {
    throw new InputError(
      `${spec.name}: the function returned ${made.length} numbers; it must return ${elements}, or change the given ones`,
      { code: 'edit-invalid', subject: { kind: 'activation', name: spec.name } },
    );
  }
  pass.gpu.write(buffer, 0, made);
  await writeBack(tools, runs, buffer, strides);
}

/** Copies the part of an activation that was asked for out of the rows of a tensor. */
export async function captureRows(
  tools: HookTools,
  tensor: Tensor,
  slice: HeadSlice,
  { spec, selection, shape }: PlannedCapture,
): Promise<void> {
  const { pass } = tools;
  const capture = tools.captures.open(spec.name, shape);
  const rowLength = selection.heads.length * slice.headWidth;
  if (selection.isWhole && isWholeRow(tensor, slice)) {
    await tools.makeRoom(4 * tensor.size);
    pass.recorder.copy(tensor.buffer, 0, capture.allocate(tensor.size, 0), 0, 4 * tensor.size);
    return;
  }
  for (const [index, sequence] of selection.sequences.entries()) {
    for (const chosen of chosenInRows(pass, tensor, slice, selection, sequence)) {
      const [, to] = chosen.rows[0]!;
      const elements = chosen.rows.length * rowLength;
      await tools.makeRoom(4 * elements + indexBytes(chosen));
      const buffer = capture.allocate(elements, (index * selection.positions.length + to) * rowLength);
      const rows = chosen.rows.map(([from, , position], row) => [from, row, position] as const);
      const strides = { rowStride: rowLength, headStride: slice.headWidth };
      recordGather(tools, { ...chosen, rows }, { buffer, ...strides });
    }
  }
}

/** Whether a slice is all that there is in a row, in order. */
function isWholeRow(tensor: Tensor, { heads, headWidth, headStride, offset }: HeadSlice): boolean {
  const isDense = heads === 1 || headStride === headWidth;
  return offset === 0 && isDense && heads * headWidth === tensor.shape[1]!;
}
