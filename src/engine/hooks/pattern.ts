import type { AttentionLayout } from '../architectures/steps.ts';
import { headSlices } from '../architectures/steps.ts';
import type { Tensor } from '../gpu/tensor.ts';
import type { OpenCapture } from './captures.ts';
import { indexBytes, indicesOf, recordEdit, recordGather } from './chosen.ts';
import type { ChosenHead } from './chosen.ts';
import { applyFunction, uploadValue } from './in-rows.ts';
import { attendPattern, attentionPattern } from './kernels.ts';
import { chosenOf, piecesOf, renumbered } from './pattern-pieces.ts';
import type { PieceRows } from './pattern-pieces.ts';
import type { PlannedEdit } from './planned-edit.ts';
import type { PlannedCapture } from './planned-hooks.ts';
import type { Selection } from './selection.ts';
import type { HookTools } from './tools.ts';

const THREADS = 64;

/** What is asked of a block's scores, or of its pattern. */
export interface PatternRequest {
  readonly edits: readonly PlannedEdit[];
  readonly capture: PlannedCapture | undefined;
}

/** A request, and the capture that is open for it. */
interface Watched extends PatternRequest {
  readonly open: OpenCapture | undefined;
}

/**
 * The attention patterns of a block. Attention itself never stores them, so they are computed again, in pieces, for the
 * queries and heads that are looked at or changed. If a pattern is changed, the values are gathered by it again.
 */
export class AttentionPatterns {
  readonly #scores: Watched;
  readonly #pattern: Watched;

  /**
   * @param queryKeyValue what attention read
   * @param attended what it gave
   */
  constructor(
    private readonly tools: HookTools,
    private readonly queryKeyValue: Tensor,
    private readonly attended: Tensor,
    private readonly layout: AttentionLayout,
    requests: { readonly scores: PatternRequest; readonly pattern: PatternRequest },
  ) {
    const open = ({ capture }: PatternRequest, isScores: boolean) => {
      if (!capture) return undefined;
      const { positions } = capture.selection;
      const finish = isScores
        ? (values: Float32Array) => {
            hideUnseen(values, positions, tools.pass.tokens);
          }
        : undefined;
      return tools.captures.open(capture.spec.name, capture.shape, finish);
    };
    this.#scores = { ...requests.scores, open: open(requests.scores, true) };
    this.#pattern = { ...requests.pattern, open: open(requests.pattern, false) };
  }

  async run(): Promise<void> {
    const { pass, uploads } = this.tools;
    const watched = [this.#scores, this.#pattern];
    const selections = watched.flatMap(({ edits, capture }) =>
      [...edits, ...(capture ? [capture] : [])].map(({ selection }) => selection),
    );
    const pieces: PieceRows[] = [];
    for (let sequence = 0; sequence < pass.sequences; sequence++) {
      const asked = selections.filter(({ sequences }) => sequences.includes(sequence));
      if (asked.length > 0) pieces.push(...piecesOf(pass.gpu, pass.tokens, sequence, asked));
    }
    const bytes = Math.max(
      ...pieces.map(({ queries, heads }) => 4 * queries.length * heads.length * pass.tokens),
    );
    await this.tools.makeRoom(bytes);
    const buffer = uploads.hold('attention pattern', bytes);
    for (const piece of pieces) await this.#run(piece, buffer);
    uploads.release(buffer);
  }

  /** Computes a piece, changes it, and copies what was asked for. */
  async #run(piece: PieceRows, buffer: GPUBuffer): Promise<void> {
    const { edits } = this.#scores;
    const isScored = edits.length > 0 || this.#scores.capture !== undefined;
    if (isScored) {
      await this.#compute(piece, buffer, { scored: 1, normalised: 0 });
      await this.#change(piece, buffer, this.#scores);
    }
    await this.#compute(piece, buffer, { scored: Number(!isScored), normalised: 1 });
    await this.#change(piece, buffer, this.#pattern);
    for (const { selection } of [...edits, ...this.#pattern.edits])
      await this.#gatherValues(piece, buffer, selection);
  }

  async #compute(
    { sequence, queries, heads }: PieceRows,
    buffer: GPUBuffer,
    constants: { readonly scored: number; readonly normalised: number },
  ): Promise<void> {
    const { pass, uploads } = this.tools;
    await this.tools.makeRoom(4 * (queries.length + heads.length));
    const { query, key } = headSlices(this.layout);
    const source = pass.sequenceRows(this.queryKeyValue, sequence, 1);
    pass.recorder.dispatch(attentionPattern, {
      bindings: {
        indices: uploads.add('chosen rows', Uint32Array.from([...queries, ...heads])),
        queryKeyValue: source.binding,
        pattern: buffer,
      },
      uniforms: {
        queries: queries.length,
        tokens: pass.tokens,
        headWidth: query.headWidth,
        stride: this.queryKeyValue.shape[1]!,
        queryStride: query.headStride,
        keyStride: key.headStride,
        keyOffset: key.offset,
        group: query.heads / key.heads,
        scale: this.layout.scale,
        firstElement: source.firstElement + query.offset,
      },
      constants,
      workgroups: [queries.length, heads.length],
    });
    pass.count(2 * queries.length * heads.length * pass.tokens * query.headWidth);
  }

  /** Edits and captures the rows of a piece as they are now. */
  async #change(piece: PieceRows, buffer: GPUBuffer, { edits, capture, open }: Watched): Promise<void> {
    for (const edit of edits) await this.#edit(piece, buffer, edit);
    if (capture && open) await this.#capture(piece, buffer, capture, open);
  }

  async #edit(piece: PieceRows, buffer: GPUBuffer, edit: PlannedEdit): Promise<void> {
    const { pass, uploads } = this.tools;
    const { selection, kind, value, spec } = edit;
    const chosen = chosenOf(piece, selection, buffer, pass.tokens);
    if (!chosen) return;
    if (kind !== 'apply' && kind !== 'transform') {
      const values = await uploadValue(this.tools, edit);
      const firstValue = selection.sequences.indexOf(piece.sequence) * value.strides.sequence;
      await this.tools.makeRoom(indexBytes(chosen));
      recordEdit(this.tools, chosen, kind, { buffer: values, strides: value.strides, firstValue });
      uploads.release(values);
      return;
    }
    const { tokens } = pass;
    const part = {
      name: spec.name,
      shape: [chosen.heads.length, chosen.rows.length, tokens],
      sequence: piece.sequence,
      positions: chosen.rows.map(([, , position]) => position),
      heads: chosen.heads.map(([head]) => piece.heads[head]!),
    };
    const dense = renumbered(chosen);
    const isScores = this.#scores.edits.includes(edit);
    const seen = {
      ...edit,
      apply: (values: Float32Array<ArrayBuffer>) => {
        if (isScores) hideUnseen(values, part.positions, tokens);
        return edit.apply!(values, part);
      },
    };
    await applyFunction(this.tools, [dense], seen, part, { row: tokens, head: tokens * dense.rows.length });
  }

  async #capture(
    piece: PieceRows,
    buffer: GPUBuffer,
    { selection }: PlannedCapture,
    open: OpenCapture,
  ): Promise<void> {
    const chosen = chosenOf(piece, selection, buffer, this.tools.pass.tokens);
    if (!chosen) return;
    const { sequences, heads, positions } = selection;
    const { tokens } = this.tools.pass;
    const elements = chosen.rows.length * chosen.heads.length * tokens;
    await this.tools.makeRoom(4 * elements + indexBytes(chosen));
    // A piece has several heads only if it has all of their queries. So its rows follow each other in the result.
    const firstHead = sequences.indexOf(piece.sequence) * heads.length + chosen.heads[0]![1];
    const first = (firstHead * positions.length + chosen.rows[0]![1]) * tokens;
    const dense = renumbered(chosen);
    recordGather(this.tools, dense, {
      buffer: open.allocate(elements, first),
      rowStride: tokens,
      headStride: tokens * dense.rows.length,
    });
  }

  /** attended ← pattern · values, for what a selection has of a piece. */
  async #gatherValues(piece: PieceRows, buffer: GPUBuffer, selection: Selection): Promise<void> {
    const { pass, uploads } = this.tools;
    const chosen = chosenOf(piece, selection, buffer, pass.tokens);
    if (!chosen) return;
    await this.tools.makeRoom(indexBytes(chosen));
    const { query, value } = headSlices(this.layout);
    const source = pass.sequenceRows(this.queryKeyValue, piece.sequence, 1);
    const target = pass.sequenceRows(this.attended, piece.sequence, 1);
    const heads = chosen.heads.map(([head]): ChosenHead => [head, piece.heads[head]!]);
    pass.recorder.dispatch(attendPattern, {
      bindings: {
        indices: uploads.add('chosen rows', indicesOf({ rows: chosen.rows, heads })),
        pattern: buffer,
        queryKeyValue: source.binding,
        output: target.binding,
      },
      uniforms: {
        queries: chosen.rows.length,
        heads: heads.length,
        pieceQueries: piece.queries.length,
        tokens: pass.tokens,
        headWidth: value.headWidth,
        stride: this.queryKeyValue.shape[1]!,
        valueStride: value.headStride,
        valueOffset: value.offset,
        group: query.heads / value.heads,
        outputStride: this.attended.shape[1]!,
        firstInput: source.firstElement,
        firstOutput: target.firstElement,
      },
      workgroups: [Math.ceil((heads.length * value.headWidth) / THREADS), chosen.rows.length],
    });
    pass.count(2 * chosen.rows.length * heads.length * pass.tokens * value.headWidth);
  }
}

/**
 * Scores of keys that a query does not see are −∞, which WGSL cannot say.
 * @param values [any number of heads, positions, T]
 */
function hideUnseen(values: Float32Array, positions: readonly number[], tokens: number): void {
  for (let row = 0; row < values.length / tokens; row++) {
    const position = positions[row % positions.length]!;
    values.fill(-Infinity, row * tokens + position + 1, (row + 1) * tokens);
  }
}
