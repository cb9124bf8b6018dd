import { InputError } from '../errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { elementCount } from '../gpu/tensor.ts';
import { layerOf, matchNames } from './names.ts';
import type { AskedHooks, HookSpec } from './spec.ts';

/** A part of an activation; what is left out is all of it. Numbers count from 0, in any order. */
export interface Choice {
  readonly sequences?: readonly number[];
  /** For a pattern, its queries. */
  readonly positions?: readonly number[];
  readonly heads?: readonly number[];
}

/** Activations to look at, or a part of them. */
export interface CaptureRequest extends Choice {
  /** A name; `*` stands for any run of characters. */
  readonly at: string;
}

/** The values that a user's function is given, and where they stand. */
export interface EditedPart {
  readonly name: string;
  /** The shape of the values: [positions, width], [positions, heads, width] or, of a pattern, [heads, positions, T]. */
  readonly shape: readonly number[];
  readonly sequence: number;
  readonly positions: readonly number[];
  /** Empty where the activation has none. */
  readonly heads: readonly number[];
}

/** The values that a transformation is given: one sequence's part as a dense matrix on the GPU. */
export interface EditedMatrix {
  readonly name: string;
  readonly sequence: number;
  readonly gpu: Gpu;
  /** F32 [rows, columns], row-major; it is read back into the activation. */
  readonly buffer: GPUBuffer;
  /** Positions that are chosen. */
  readonly rows: number;
  /** Features: where there are heads, those of all chosen heads side by side. */
  readonly columns: number;
}

/**
 * A change of an activation, or of a part of it; later steps see it, earlier ones do not. A `value` is a number, or numbers
 * of the part's shape [sequences, positions, (heads,) width] (of a pattern [sequences, heads, positions, T]), from which
 * leading axes may be left out: they repeat it.
 */
export type Edit = Choice & {
  /** A name; `*` stands for any run of characters. */
  readonly at: string;
} & (
    | { readonly op: 'zero' }
    /** 1/(t + 1) for the keys up to the query t: of `hook_pattern` alone. */
    | { readonly op: 'uniform' }
    | { readonly op: 'replace' | 'add' | 'scale'; readonly value: number | ArrayLike<number> }
    /** Changes the values in place, or returns others; called for each sequence, of a large pattern for pieces of it. */
    | {
        readonly op: 'apply';
        readonly apply: (
          values: Float32Array<ArrayBuffer>,
          part: EditedPart,
        ) => Float32Array | undefined | Promise<Float32Array | undefined>;
      }
    /** Changes the values on the GPU, in place; called for each sequence. `keepComponents` makes such an edit. */
    | { readonly op: 'transform'; readonly transform: (matrix: EditedMatrix) => Promise<void> }
  );

/** What a run is asked for. */
export interface HookRequests {
  /** Names of activations to capture, with `*`, or parts of them. Of two that mean the same name the later one counts. */
  readonly capture?: readonly (string | CaptureRequest)[] | undefined;
  /** Changes, made in this order where several have the same name. */
  readonly edits?: readonly Edit[] | undefined;
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

export interface PlannedCapture {
  readonly spec: HookSpec;
  readonly selection: Selection;
  /** The shape of the result, with a leading axis of sequences if the batch has several. */
  readonly shape: readonly number[];
}

/** A value's numbers, and how far it is from one to the next along each axis; 0 where they repeat. */
export interface EditValue {
  readonly values: Float32Array<ArrayBuffer>;
  readonly strides: Readonly<Record<'sequence' | 'row' | 'head' | 'element', number>>;
}

export interface PlannedEdit {
  readonly spec: HookSpec;
  readonly selection: Selection;
  readonly kind: 'replace' | 'add' | 'multiply' | 'uniform' | 'apply' | 'transform';
  readonly value: EditValue;
  readonly apply?: Extract<Edit, { op: 'apply' }>['apply'];
  readonly transform?: Extract<Edit, { op: 'transform' }>['transform'];
}

/** The batch that requests are for. */
export interface Batch {
  readonly sequences: number;
  readonly tokens: number;
}

/** What a run looks at and changes, by name: requests, checked against the model and the batch. */
export class PlannedHooks implements AskedHooks {
  readonly #captures = new Map<string, PlannedCapture>();
  readonly #edits = new Map<string, PlannedEdit[]>();

  /**
   * @param specs all activations that the model's pass has
   * @throws InputError naming the request, where a name, a number or a value does not suit
   */
  constructor(
    private readonly specs: readonly HookSpec[],
    { capture = [], edits = [] }: HookRequests,
    readonly batch: Batch,
  ) {
    const byName = new Map(specs.map((spec) => [spec.name, spec]));
    const names = [...byName.keys()];
    for (const request of capture) {
      const { at, ...choice } = typeof request === 'string' ? { at: request } : request;
      for (const name of matchNames(at, names)) {
        const spec = byName.get(name)!;
        const selection = select(spec, at.includes('*') ? suited(spec, choice) : choice, batch);
        const shape = selectionShape(spec, selection, batch);
        this.#captures.set(name, { spec, selection, shape });
      }
    }
    for (const edit of edits) {
      for (const name of matchNames(edit.at, names)) {
        const planned = planEdit(byName.get(name)!, edit, batch);
        this.#edits.set(name, [...this.editsOf(name), planned]);
      }
    }
  }

  get isEmpty(): boolean {
    return this.#captures.size === 0 && this.#edits.size === 0;
  }

  /** The captures, in the order of the pass. */
  get captures(): readonly PlannedCapture[] {
    return this.specs.flatMap(({ name }) => this.#captures.get(name) ?? []);
  }

  captureOf(name: string): PlannedCapture | undefined {
    return this.#captures.get(name);
  }

  editsOf(name: string): readonly PlannedEdit[] {
    return this.#edits.get(name) ?? [];
  }

  wants(name: string): boolean {
    return this.#captures.has(name) || this.#edits.has(name);
  }

  isEdited(name: string): boolean {
    return this.#edits.has(name);
  }

  /** Bytes of captures on the GPU at once: those of a block, and of the one before, which are being read. */
  get captureBytes(): number {
    const ofLayer = new Map<number, number>();
    for (const { spec, shape } of this.#captures.values()) {
      const layer = layerOf(spec.name) ?? -1;
      ofLayer.set(layer, (ofLayer.get(layer) ?? 0) + 4 * elementCount(shape));
    }
    const pairs = [...ofLayer].map(([layer, bytes]) => bytes + (ofLayer.get(layer + 1) ?? 0));
    return Math.max(0, ...pairs);
  }
}

/** Heads are left out of a choice that many activations share, where one has none. */
function suited(spec: HookSpec, { heads, ...choice }: Choice): Choice {
  return heads && spec.heads !== undefined ? { ...choice, heads } : choice;
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
function selectionAxes(spec: HookSpec, { sequences, positions, heads }: Selection): [string, number][] {
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

function selectionShape(spec: HookSpec, selection: Selection, batch: Batch): number[] {
  const shape = partShape(spec, selection);
  return batch.sequences > 1 ? [selection.sequences.length, ...shape] : shape;
}

function planEdit(spec: HookSpec, edit: Edit, batch: Batch): PlannedEdit {
  const selection = select(spec, edit.at.includes('*') ? suited(spec, edit) : edit, batch);
  const plan = (kind: PlannedEdit['kind'], value: number | ArrayLike<number> = 0): PlannedEdit => ({
    spec,
    selection,
    kind,
    value: spread(spec, selection, value),
  });
  switch (edit.op) {
    case 'zero':
      return plan('replace');
    case 'uniform':
      if (spec.axes !== 'pattern' || spec.name.endsWith('scores'))
        throw new InputError(
          `${spec.name}: only hook_pattern can be made uniform; use replace, add or scale`,
          { code: 'edit-invalid', subject: { kind: 'activation', name: spec.name } },
        );
      return plan('uniform');
    case 'apply':
      return { ...plan('apply'), apply: edit.apply };
    case 'transform':
      if (spec.axes === 'pattern')
        throw new InputError(
          `${spec.name}: is not a matrix of tokens by features, which transform needs; use replace, add, scale or apply`,
        );
      return { ...plan('transform'), transform: edit.transform };
    case 'scale':
      return plan('multiply', edit.value);
    case 'replace':
    case 'add':
      return plan(edit.op, edit.value);
    default:
      throw new InputError(
        `${spec.name}: the edit's op is ${JSON.stringify((edit as { op?: unknown }).op)}; it must be zero, uniform, replace, add, scale, apply or transform`,
        { code: 'edit-invalid', subject: { kind: 'activation', name: spec.name } },
      );
  }
}

/** A value along the axes of a part: as many of the last axes as it has numbers for. */
function spread(spec: HookSpec, selection: Selection, value: number | ArrayLike<number>): EditValue {
  const values = typeof value === 'number' ? Float32Array.of(value) : Float32Array.from(value);
  const strides = { sequence: 0, row: 0, head: 0, element: 0 };
  const lengths = [1];
  let stride = 1;
  for (const [axis, extent] of selectionAxes(spec, selection).reverse()) {
    if (stride === values.length) return { values, strides };
    strides[axis as keyof typeof strides] = stride;
    stride *= extent;
    lengths.push(stride);
  }
  if (stride === values.length) return { values, strides };
  const shape = partShape(spec, selection).join(', ');
  throw new InputError(
    `${spec.name}: the edit's value has ${values.length} numbers; it must have ${[...new Set(lengths)].join(', ')} (what is changed has shape [${shape}] in each sequence)`,
    { code: 'edit-invalid', subject: { kind: 'activation', name: spec.name } },
  );
}
