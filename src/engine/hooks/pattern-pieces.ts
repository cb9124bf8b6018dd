import type { Gpu } from '../gpu/gpu.ts';
import type { Chosen, ChosenHead, ChosenRow } from './chosen.ts';
import type { Selection } from './selection.ts';

/** The maximum number of bytes that rows of patterns may take at once. */
export const PIECE_BYTES = 16 * 2 ** 20;

/** Some queries of some heads of one sequence. */
export interface PieceRows {
  readonly sequence: number;
  readonly queries: readonly number[];
  readonly heads: readonly number[];
}

/**
 * Cuts the rows that any selection has into pieces: all queries of several heads, or some queries of one head.
 * @param tokens T: a row has one score for each
 * @param asked selections that have the sequence
 */
export function piecesOf(
  gpu: Gpu,
  tokens: number,
  sequence: number,
  asked: readonly Selection[],
): PieceRows[] {
  const free = Math.max(0, gpu.memoryLimit - gpu.allocatedBytes);
  const bytes = Math.min(PIECE_BYTES, gpu.bindingLimit, free / 4);
  const maxRows = Math.max(1, Math.floor(bytes / (4 * tokens)));
  const queries = union(asked.map(({ positions }) => positions));
  const heads = union(asked.map((selection) => selection.heads));
  const headsAtOnce = Math.max(1, Math.floor(maxRows / queries.length));
  const pieces: PieceRows[] = [];
  for (let head = 0; head < heads.length; head += headsAtOnce) {
    for (let query = 0; query < queries.length; query += maxRows) {
      const piece = {
        sequence,
        queries: queries.slice(query, query + maxRows),
        heads: heads.slice(head, head + headsAtOnce),
      };
      if (asked.some((selection) => rowsIn(piece, selection) !== undefined)) pieces.push(piece);
    }
  }
  return pieces;
}

/**
 * The part of a selection that a piece has; undefined if it has none.
 * @param buffer F32 [heads, queries, T], the piece's scores or pattern
 */
export function chosenOf(
  piece: PieceRows,
  selection: Selection,
  buffer: GPUBuffer,
  tokens: number,
): Chosen | undefined {
  const part = rowsIn(piece, selection);
  return (
    part && {
      ...part,
      binding: buffer,
      headWidth: tokens,
      rowStride: tokens,
      headStride: tokens * piece.queries.length,
      firstElement: 0,
    }
  );
}

/** Rows and heads of a piece that a selection has: their places in the piece, and in the selection. */
function rowsIn(
  piece: PieceRows,
  selection: Selection,
): { readonly rows: ChosenRow[]; readonly heads: ChosenHead[] } | undefined {
  if (!selection.sequences.includes(piece.sequence)) return undefined;
  const places = placesOf(selection.positions);
  const headPlaces = placesOf(selection.heads);
  const rows = piece.queries.flatMap((position, index): ChosenRow[] => {
    const place = places.get(position);
    return place === undefined ? [] : [[index, place, position]];
  });
  const heads = piece.heads.flatMap((head, index): ChosenHead[] => {
    const place = headPlaces.get(head);
    return place === undefined ? [] : [[index, place]];
  });
  return rows.length > 0 && heads.length > 0 ? { rows, heads } : undefined;
}

/** The same rows and heads, numbered so that they stand side by side from 0 on. */
export function renumbered(chosen: Chosen): Chosen {
  return {
    ...chosen,
    rows: chosen.rows.map(([from, , position], index) => [from, index, position]),
    heads: chosen.heads.map(([from], index) => [from, index]),
  };
}

function placesOf(numbers: readonly number[]): Map<number, number> {
  return new Map(numbers.map((number, index) => [number, index]));
}

function union(lists: readonly (readonly number[])[]): number[] {
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}
