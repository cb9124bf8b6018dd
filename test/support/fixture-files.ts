import { readFixture } from '#platform';
import { decodeFloats } from '../../src/engine/decode.ts';
import { FileError } from '../../src/engine/errors.ts';
import type { ByteSource, ModelFiles } from '../../src/engine/files.ts';
import { readHeader } from '../../src/engine/safetensors.ts';

/** Bytes in memory as a source. */
export function memorySource(name: string, bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      if (offset + length > bytes.length) return Promise.reject(new FileError(`${name}: too short`));
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
    close: () => Promise.resolve(),
  };
}

const kept = new Map<string, Promise<Uint8Array<ArrayBuffer> | undefined>>();

/** The bytes of a file of the project, read once; nobody may change them. */
function fixtureBytes(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let bytes = kept.get(path);
  if (!bytes) kept.set(path, (bytes = readFixture(path).catch(() => undefined)));
  return bytes;
}

/** A folder of the project as a model, read through the platform so that a browser can, too. */
export function fixtureFiles(folder: string): ModelFiles {
  return {
    name: folder,
    async open(fileName) {
      const path = `${folder}/${fileName}`;
      const bytes = await fixtureBytes(path);
      return bytes && memorySource(path, bytes);
    },
  };
}

export interface FixtureTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** F32 and I32 as they are, F64 in full. */
  readonly values: Float32Array | Float64Array | Int32Array;
}

/** All tensors of a small safetensors file of the project. */
export async function readFixtureTensors(path: string): Promise<Map<string, FixtureTensor>> {
  const bytes = await fixtureBytes(path);
  if (!bytes) throw new Error(`${path} is not there`);
  const { tensors } = await readHeader(memorySource(path, bytes));
  return new Map(
    [...tensors].map(([name, { dtype, shape, offset, bytes: length }]) => {
      const content = bytes.slice(offset, offset + length);
      const values =
        dtype === 'F64'
          ? new Float64Array(content.buffer)
          : dtype === 'I32'
            ? new Int32Array(content.buffer)
            : decodeFloats(dtype, content, name);
      return [name, { dtype, shape, values }];
    }),
  );
}
