import { elementCount } from '../gpu/tensor.ts';
import { layerOf, matchNames } from './names.ts';
import { planEdit } from './planned-edit.ts';
import type { PlannedEdit } from './planned-edit.ts';
import type { Choice, HookRequests } from './request.ts';
import { selectEach, selectionShape } from './selection.ts';
import type { Batch, Selected, Selection } from './selection.ts';
import type { AskedHooks, HookSpec } from './spec.ts';

export interface PlannedCapture {
  readonly spec: HookSpec;
  readonly selection: Selection;
  /** The shape of the result, with a leading axis of sequences if the batch has several. */
  readonly shape: readonly number[];
}

/** What a run looks at and changes, by name: requests, checked against the model and the batch. */
export class PlannedHooks implements AskedHooks {
  readonly #captures = new Map<string, PlannedCapture>();
  readonly #edits = new Map<string, PlannedEdit[]>();

  /**
   * @param specs all activations that the model's pass has
   * @throws InputError naming the request, if a name, a number or a value does not suit
   */
  constructor(
    private readonly specs: readonly HookSpec[],
    { capture = [], edits = [] }: HookRequests,
    readonly batch: Batch,
  ) {
    const byName = new Map(specs.map((spec) => [spec.name, spec]));
    const chosen = (request: Choice & { readonly at: string }): Selected[] => {
      const names = matchNames(request.at, [...byName.keys()]);
      return selectEach(
        names.map((name) => byName.get(name)!),
        request,
        batch,
      );
    };
    for (const asked of capture) {
      const request = typeof asked === 'string' ? { at: asked } : asked;
      for (const { spec, selection } of chosen(request)) {
        const shape = selectionShape(spec, selection, batch);
        this.#captures.set(spec.name, { spec, selection, shape });
      }
    }
    for (const edit of edits) {
      for (const selected of chosen(edit)) {
        const { name } = selected.spec;
        this.#edits.set(name, [...this.editsOf(name), planEdit(selected, edit)]);
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
