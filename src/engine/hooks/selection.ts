import { InputError } from '../errors.ts';
import type { Choice } from './request.ts';
import type { HookSpec } from './spec.ts';

/** The batch that requests are for. */
export interface Batch {
  readonly sequences: number;
  readonly tokens: number;
}

/** A choice in full: ascending numbers. */
export interface Selection {
  readonly sequences: readonly number[];
  readonly positions: readonly number[];
  /** [0] if there are no heads. */
  readonly heads: readonly number[];
  /** Everything is chosen. */
  readonly isWhole: boolean;
}

/** An activation, and the choice of it in full. */
export interface Selected {
  readonly spec: HookSpec;
  readonly selection: Selection;
}

/**
 * The choice for each of the activations that a request names. If some of them have heads and others have none, the
 * choice of heads is for those that have them.
 * @throws InputError for numbers that do not exist, and for heads if none of the activations has any
 */
export function selectEach(specs: readonly HookSpec[], choice: Choice, batch: Batch): Selected[] {
  const isShared = specs.some((spec) => spec.heads !== undefined);
  return specs.map((spec) => {
    const suited = isShared && spec.heads === undefined ? { ...choice, heads: undefined } : choice;
    return { spec, selection: select(spec, suited, batch) };
  });
}

function select(spec: HookSpec, choice: Choice, { sequences, tokens }: Batch): Selection {
  if (choice.heads && spec.heads === undefined) {
    throw new InputError(`${spec.name}: has no heads; leave heads out`, {
      code: 'choice-out-of-range',
      subject: { kind: 'activation', name: spec.name },
    });
  }
  const chosen = {
    sequences: ascending(spec.name, 'sequence', choice.sequences, sequences),
    positions: ascending(spec.name, 'position', choice.positions, tokens),
    heads: ascending(spec.name, 'head', choice.heads, spec.heads ?? 1),
  };
  const isWhole =
    chosen.sequences.length === sequences &&
    chosen.positions.length === tokens &&
    chosen.heads.length === (spec.heads ?? 1);
  return { ...chosen, isWhole };
}

/** Numbers in order, each once; all of them where none are given. */
export function ascending(
  name: string,
  what: string,
  numbers: readonly number[] | undefined,
  count: number,
): number[] {
  if (!numbers) return Array.from({ length: count }, (_, index) => index);
  if (numbers.length === 0)
    throw new InputError(`${name}: no ${what} is chosen; give one, or leave it out`, {
      code: 'choice-out-of-range',
      subject: { kind: 'activation', name },
    });
  for (const number of numbers) {
    if (!Number.isInteger(number) || number < 0 || number >= count) {
      throw new InputError(`${name}: ${what} ${number} does not exist; there are 0 to ${count - 1}`, {
        code: 'choice-out-of-range',
        subject: { kind: 'activation', name },
      });
    }
  }
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** The axes of a part: [sequences, positions, (heads,) width], of a pattern [sequences, heads, positions, T]. */
export function selectionAxes(
  spec: HookSpec,
  { sequences, positions, heads }: Selection,
): [string, number][] {
  const row: [string, number] = ['row', positions.length];
  const head: [string, number] = ['head', heads.length];
  return [
    ['sequence', sequences.length],
    ...(spec.axes === 'pattern' ? [head, row] : [row, head]),
    ['element', spec.width],
  ];
}

/** The shape of one sequence's part. */
export function partShape(spec: HookSpec, selection: Selection): number[] {
  return selectionAxes(spec, selection)
    .slice(1)
    .filter(([axis]) => axis !== 'head' || spec.heads !== undefined)
    .map(([, extent]) => extent);
}

/** The shape of all of it, with a leading axis of sequences if the batch has several. */
export function selectionShape(spec: HookSpec, selection: Selection, batch: Batch): number[] {
  const shape = partShape(spec, selection);
  return batch.sequences > 1 ? [selection.sequences.length, ...shape] : shape;
}
