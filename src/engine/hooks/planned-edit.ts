import { InputError } from '../errors.ts';
import type { Edit } from './request.ts';
import { partShape, selectionAxes } from './selection.ts';
import type { Selected, Selection } from './selection.ts';
import type { HookSpec } from './spec.ts';

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

/**
 * An edit of one activation.
 * @throws InputError if a number, the operation or the value does not suit it
 */
export function planEdit({ spec, selection }: Selected, edit: Edit): PlannedEdit {
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
          { code: 'edit-invalid', subject: { kind: 'activation', name: spec.name } },
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
