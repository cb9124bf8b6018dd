import { InputError } from './errors.ts';
import type { HookRequests, HookSpec } from './hooks.ts';
import { matchNames, PlannedHooks } from './hooks.ts';
import type { CaptureRequest, Edit } from './hooks/request.ts';
import { ascending, partShape } from './hooks/selection.ts';
import { elementCount } from './gpu/tensor.ts';

/**
 * Batches that sequences of any lengths can run in: each of one length, and of at most so many tokens where it has more
 * than one sequence.
 * @returns for each batch the places of its sequences, ascending
 */
export function groupByLength(sequences: readonly Int32Array[], maxTokens: number): number[][] {
  const open = new Map<number, number[]>();
  const groups: number[][] = [];
  for (const [place, { length }] of sequences.entries()) {
    let group = open.get(length);
    if (!group || (group.length + 1) * length > maxTokens) {
      groups.push((group = []));
      open.set(length, group);
    }
    group.push(place);
  }
  return groups;
}

/** What of a run's requests one batch is asked for. */
export interface GroupRequests {
  readonly capture: readonly CaptureRequest[];
  readonly edits: readonly Edit[];
  /** Which sequences of the batch are captured, ascending, by the activation's name. */
  readonly captured: ReadonlyMap<string, readonly number[]>;
}

/**
 * Turns requests that number all sequences of a run into those of one batch of it.
 * @param group places of the batch's sequences in the run, ascending
 * @param total sequences of the run
 * @param specs the activations of a pass over `tokens` tokens
 * @throws InputError if a name or a sequence does not exist
 */
export function requestsOfGroup(
  group: readonly number[],
  { capture = [], edits = [] }: HookRequests,
  { total, tokens, specs }: { total: number; tokens: number; specs: readonly HookSpec[] },
): GroupRequests {
  const names = specs.map(({ name }) => name);
  const heads = new Map(specs.map((spec) => [spec.name, spec.heads]));
  const local = (at: string, sequences: readonly number[] | undefined): number[] => {
    const chosen = new Set(ascending(at, 'sequence', sequences, total));
    return group.flatMap((place, index) => (chosen.has(place) ? [index] : []));
  };

  // Of two requests that mean the same name the later one counts, also where it leaves this batch out.
  const requests = new Map<string, CaptureRequest & { readonly sequences: readonly number[] }>();
  for (const request of capture) {
    const { at, heads: chosenHeads, ...choice } = typeof request === 'string' ? { at: request } : request;
    const sequences = local(at, choice.sequences);
    for (const name of matchNames(at, names)) {
      const takesHeads = chosenHeads && !(at.includes('*') && heads.get(name) === undefined);
      requests.set(name, { ...choice, at: name, sequences, ...(takesHeads && { heads: chosenHeads }) });
    }
  }
  const wanted = [...requests.values()].filter(({ sequences }) => sequences.length > 0);

  return {
    capture: wanted,
    captured: new Map(wanted.map(({ at, sequences }) => [at, sequences])),
    edits: edits.flatMap((edit): Edit[] => {
      const sequences = local(edit.at, edit.sequences);
      if (sequences.length === 0) return [];
      const chosen = ascending(edit.at, 'sequence', edit.sequences, total);
      const places = sequences.map((index) => chosen.indexOf(group[index]!));
      const own: Edit = { ...edit, sequences };
      if (own.op === 'apply') {
        const { apply } = own;
        const inRun: typeof apply = (values, part) =>
          apply(values, { ...part, sequence: group[part.sequence]! });
        return [{ ...own, apply: inRun }];
      }
      if (own.op === 'transform') {
        const { transform } = own;
        const inRun: typeof transform = (matrix) =>
          transform({ ...matrix, sequence: group[matrix.sequence]! });
        return [{ ...own, transform: inRun }];
      }
      if (!('value' in own) || typeof own.value === 'number' || chosen.length === 1) return [own];
      const [name] = matchNames(edit.at, names) as [string];
      const size = sizeOfOne(name, { ...own, sequences: [0], value: 0 }, specs, tokens);
      if (own.value.length !== size * chosen.length) return [own];
      const values = Float32Array.from(own.value);
      return [{ ...own, value: places.flatMap((at) => [...values.subarray(at * size, (at + 1) * size)]) }];
    }),
  };
}

/** How many numbers of one sequence an edit changes. */
function sizeOfOne(name: string, edit: Edit, specs: readonly HookSpec[], tokens: number): number {
  const planned = new PlannedHooks(specs, { edits: [edit] }, { sequences: 1, tokens });
  const { spec, selection } = planned.editsOf(name)[0]!;
  return elementCount(partShape(spec, selection));
}

/** @throws InputError naming the sequence, unless its ids are whole numbers and there are some */
export function checkIds(ids: ArrayLike<number>, place: number): Int32Array<ArrayBuffer> {
  if (ids.length === 0) {
    throw new InputError(`sequence ${place} has no tokens; give a text that is not empty, or token ids`, {
      code: 'text-empty',
    });
  }
  return Int32Array.from(ids, (id) => {
    if (Number.isInteger(id) && Math.abs(id) < 2 ** 31) return id;
    throw new InputError(`sequence ${place}: ${id} is not a token id; give whole numbers from 0 on`, {
      code: 'token-invalid',
    });
  });
}
