import { budgets } from '../../engine/budgets.ts';
import { FormatError, InputError } from '../../engine/errors.ts';
import { listNames } from '../../engine/message.ts';
import { openFile } from '../files.ts';
import { findArrays } from './arrays.ts';
import type { FoundArray } from './arrays.ts';
import type { Numbers } from './elements.ts';
import { naturalOrder } from './natural-order.ts';
import { SliceReader } from './slices.ts';

/** A matrix [rows, columns] in a file, or a stack of them, read a slice at a time. */
export interface MatrixSource {
  /** The file, and the tensor in it, for messages. */
  readonly name: string;
  /** The tensor's name; null in a .npy file, whose array has none. */
  readonly tensor: string | null;
  readonly slices: number;
  readonly rows: number;
  readonly columns: number;
  readonly isStack: boolean;
  /** Row-major, [rows · columns], the caller's to overwrite. Slices are read fastest in order. */
  read(slice: number): Promise<Numbers>;
}

/** What is to be measured of a file. */
export interface MatrixFile extends AsyncDisposable {
  readonly name: string;
  /** The sources, in natural order of their names: layer.2 before layer.10. */
  readonly sources: readonly MatrixSource[];
  /** Whether the sources are layers of a dict and not of one tensor. */
  readonly isDict: boolean;
  /** What was left out, and why; one line each. */
  readonly notices: readonly string[];
}

type MeasurableArray = Extract<FoundArray, { stored: unknown }>;
type Misfit = Exclude<FoundArray, MeasurableArray>;

/** Names that a message lists; files may hold thousands. */
const LISTED = 12;

/**
 * Opens a .npy, .npz or safetensors file. Without a name, the one tensor of a file is taken, or all of them if they are
 * matrices. What cannot be measured is left out with a notice, and so are integers next to floats.
 *
 * @param wanted a tensor's name, or a pattern in which `*` stands for any run of characters
 * @throws InputError if the tensor is not there or cannot be measured, or one has to be chosen
 * @throws FileError or FormatError if the file cannot be read or holds nothing that can be measured
 */
export async function openMatrices(path: string, wanted: string | undefined): Promise<MatrixFile> {
  const source = await openFile(path);
  try {
    const found = (await findArrays(source)).sort((a, b) => naturalOrder(a.tensor ?? '', b.tensor ?? ''));
    const { arrays, isDict, misfits } = choose(found, wanted, path);
    const matrices = arrays.reduce((sum, { stored }) => sum + stored.slices, 0);
    if (matrices > budgets.matrices) {
      throw FormatError.at(
        path,
        `holds ${matrices} matrices, and at most ${budgets.matrices} are measured at once; save a part of them, or reshape the stack where its rows are meant`,
      );
    }
    return {
      name: path,
      sources: arrays.map(toSource),
      isDict,
      notices: misfits.map(({ name, problem }) => `${name} is left out: it ${problem}`),
      [Symbol.asyncDispose]: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function toSource({ tensor, name, stored, isStack }: MeasurableArray): MatrixSource {
  const { slices, rows, columns } = stored;
  const reader = new SliceReader(stored);
  return { name, tensor, slices, rows, columns, isStack, read: (slice) => reader.read(slice) };
}

interface Choice {
  readonly arrays: readonly MeasurableArray[];
  readonly isDict: boolean;
  readonly misfits: readonly Misfit[];
}

function choose(found: readonly FoundArray[], wanted: string | undefined, path: string): Choice {
  return wanted === undefined ? chooseAll(found, path) : chooseWanted(found, wanted, path);
}

function chooseWanted(found: readonly FoundArray[], wanted: string, path: string): Choice {
  if (found.some(({ tensor }) => tensor === null)) {
    throw new InputError(
      `--tensor ${wanted}: ${path} is a .npy file, which holds one array without a name; leave the flag out`,
    );
  }
  const named = found.find(({ tensor }) => tensor === wanted);
  if (named) {
    if ('problem' in named) throw new InputError(`--tensor ${wanted}: ${inFull(named)}`);
    return { arrays: [named], isDict: false, misfits: [] };
  }
  const matching = wanted.includes('*') ? found.filter(({ tensor }) => matches(tensor, wanted)) : [];
  const { arrays, misfits } = measurable(matching);
  if (arrays.length > 0) return { arrays, isDict: true, misfits };
  const [misfit] = misfits;
  throw new InputError(
    misfit
      ? `--tensor ${wanted}: nothing that it names can be measured: ${inFull(misfit)}`
      : `--tensor ${wanted}: ${path} has no such tensor; it has ${listed(found)}`,
  );
}

function chooseAll(found: readonly FoundArray[], path: string): Choice {
  const { arrays, misfits } = measurable(found);
  const [only, ...others] = arrays;
  if (!only) {
    const [misfit] = misfits;
    if (misfits.length === 1) throw new FormatError(inFull(misfit!));
    throw FormatError.at(
      path,
      `holds no matrix [T, d] and no stack of matrices [L, T, d]; it has ${listed(found)}`,
    );
  }
  if (others.length === 0) return { arrays, isDict: false, misfits };
  if (arrays.some(({ isStack }) => isStack)) {
    throw new InputError(
      `${path}: holds ${found.length} tensors, not all of them matrices; choose with --tensor one of ${listed(arrays)}`,
    );
  }
  return { arrays, isDict: true, misfits };
}

/** Integers next to floats are token ids and masks, whose spectrum has no meaning. */
function measurable(found: readonly FoundArray[]): { arrays: MeasurableArray[]; misfits: Misfit[] } {
  const fitting = found.filter((array): array is MeasurableArray => 'stored' in array);
  const hasFloats = fitting.some(({ stored }) => stored.elements.isFloat);
  const misfits = found.flatMap((array): Misfit[] => {
    if ('problem' in array) return [array];
    const { tensor, name, stored } = array;
    if (!hasFloats || stored.elements.isFloat) return [];
    const problem = `holds ${stored.elements.name}, not floats as the others do; --tensor ${tensor} measures it`;
    return [{ tensor, name, problem }];
  });
  return { arrays: fitting.filter(({ stored }) => !hasFloats || stored.elements.isFloat), misfits };
}

function inFull({ name, problem, remedy }: Misfit): string {
  return `${name}: ${problem}${remedy === undefined ? '' : `: ${remedy}`}`;
}

function matches(tensor: string | null, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(tensor ?? '');
}

function listed(arrays: readonly FoundArray[]): string {
  return listNames(
    arrays.map(({ tensor }) => tensor ?? 'an array'),
    LISTED,
  );
}
