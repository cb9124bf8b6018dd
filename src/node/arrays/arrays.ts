import { FormatError } from '../../engine/errors.ts';
import type { ByteSource } from '../../engine/files.ts';
import { readHeader } from '../../engine/safetensors.ts';
import { measurableDtypes, safetensorsElements } from './elements.ts';
import {
  beginsAsSafetensors,
  beginsAsZip,
  foreignKind,
  foreignZip,
  isTorchPath,
  SNIFFED_BYTES,
  torchKind,
} from './file-kind.ts';
import type { ForeignKind } from './file-kind.ts';
import { beginsAsNpy, readNpyHeader } from './npy.ts';
import type { StoredMatrices } from './slices.ts';
import { readZip } from './zip.ts';

/** An array of a file: matrices, or the reason why it cannot be measured. */
export type FoundArray = {
  /** The tensor's name; null in a .npy file, whose array has none. */
  readonly tensor: string | null;
  /** The file, and the tensor in it, for messages. */
  readonly name: string;
} & (
  | {
      readonly stored: StoredMatrices;
      /** Whether it is a stack [L, T, d]. L is more than one, or the only leading extent. */
      readonly isStack: boolean;
    }
  | {
      readonly problem: string;
      /** What to do about it, for a user who wants this array. */
      readonly remedy?: string;
    }
);

const NEEDED = 'a .npy file, .npz file or safetensors file';

/**
 * Finds the arrays of a .npy, .npz or safetensors file, whatever its name, without reading their elements.
 * @throws FormatError if the file is damaged, or another kind of file; it says how to save what Laminar reads
 */
export async function findArrays(source: ByteSource): Promise<FoundArray[]> {
  const start = await source.read(0, Math.min(SNIFFED_BYTES, source.size));
  if (beginsAsNpy(start)) return [await findNpy(source, null)];
  if (beginsAsZip(start)) return await findNpz(source);
  const isSafetensors = beginsAsSafetensors(start);
  const kind = isSafetensors ? undefined : foreignKind(start);
  if (kind) throw foreign(source.name, kind);
  if (isSafetensors || /\.safetensors$/i.test(source.name)) return await findSafetensors(source);
  if (isTorchPath(source.name)) throw foreign(source.name, torchKind);
  throw FormatError.at(source.name, `is not ${NEEDED}; save the array with numpy.save('states.npy', array)`);
}

/** What messages call a tensor: names may contain line breaks and other characters that a terminal would obey. */
function nameOf(source: ByteSource, tensor: string): string {
  return `${source.name}: tensor ${tensor.replaceAll(/\p{Cc}/gu, '\ufffd')}`;
}

function foreign(name: string, { what, advice }: ForeignKind): FormatError {
  return FormatError.at(name, `is ${what}, not ${NEEDED}; ${advice}`);
}

async function findNpy(source: ByteSource, tensor: string | null): Promise<FoundArray> {
  const { name } = source;
  const { shape, elements, fortranOrder, offset } = await readNpyHeader(source);
  if ('problem' in elements) return { tensor, name, problem: elements.problem };
  return asMatrices(tensor, shape, { name, source, offset, elements, fortranOrder });
}

async function findNpz(source: ByteSource): Promise<FoundArray[]> {
  const entries = await readZip(source).catch((error: unknown) => {
    throw isTorchPath(source.name) && error instanceof FormatError ? foreign(source.name, torchKind) : error;
  });
  const paths = entries.map(({ path }) => path);
  if (!paths.some((path) => path.endsWith('.npy')))
    throw foreign(source.name, foreignZip(paths, source.name));
  const found: FoundArray[] = [];
  for (const { path, isReadable, open } of entries) {
    if (path.endsWith('/')) continue;
    const tensor = path.replace(/\.npy$/, '');
    const name = nameOf(source, tensor);
    if (!path.endsWith('.npy')) {
      found.push({ tensor, name, problem: 'is not a .npy file' });
    } else if (!isReadable) {
      found.push({
        tensor,
        name,
        problem:
          'is encrypted or compressed in a way that cannot be read; save it with numpy.savez or numpy.savez_compressed',
      });
    } else {
      const entry = open(name);
      found.push(await findNpy(entry, tensor));
      await entry.close();
    }
  }
  return found;
}

async function findSafetensors(source: ByteSource): Promise<FoundArray[]> {
  const { tensors } = await readHeader(source);
  if (tensors.size === 0) throw FormatError.at(source.name, 'holds no tensor; save some');
  return [...tensors.values()].map(({ name: tensor, dtype, shape, offset }): FoundArray => {
    const name = nameOf(source, tensor);
    const elements = safetensorsElements(dtype);
    if (!elements) {
      return {
        tensor,
        name,
        problem: `has dtype ${dtype}; of ${measurableDtypes} it could be measured: save it with tensor.float()`,
      };
    }
    return asMatrices(tensor, shape, { name, source, offset, elements, fortranOrder: false });
  });
}

/** How to save an array of another shape as matrices. */
function shapeRemedy(shape: readonly number[]): string {
  if (shape.includes(0)) return 'it is empty; look at what was saved';
  if (shape.length < 2) {
    return 'save vectors as the rows of one matrix, with numpy.stack(vectors), or array.reshape(T, d)';
  }
  const [rows, columns] = shape.slice(-2);
  const matrices = shape.slice(0, -2).reduce((product, extent) => product * extent, 1);
  return (
    `save array.reshape(${matrices}, ${rows}, ${columns}) for a stack of its ${matrices} matrices, ` +
    `or one of them, such as array[${shape
      .slice(0, -2)
      .map(() => 0)
      .join(', ')}]`
  );
}

/** Leading extents of 1 are left out: [1, T, d] is a matrix, [L, 1, T, d] and [1, L, T, d] are stacks. */
function asMatrices(
  tensor: string | null,
  shape: readonly number[],
  stored: Pick<StoredMatrices, 'name' | 'source' | 'offset' | 'elements' | 'fortranOrder'>,
): FoundArray {
  const { name } = stored;
  const leading = shape.slice(0, -2).filter((extent) => extent !== 1);
  const [rows, columns] = shape.slice(-2);
  if (rows === undefined || columns === undefined || leading.length > 1 || shape.includes(0)) {
    return {
      tensor,
      name,
      problem: `has shape [${shape.join(', ')}]; a matrix [T, d] or a stack of matrices [L, T, d] is needed`,
      remedy: shapeRemedy(shape),
    };
  }
  const [slices] = leading;
  return {
    tensor,
    name,
    stored: { ...stored, slices: slices ?? 1, rows, columns },
    isStack: slices !== undefined,
  };
}
