import { FileError } from '../engine/errors.ts';
import type { ByteSource, ModelFiles } from '../engine/files.ts';
import { checkRange } from '../engine/files.ts';

/**
 * Files of a folder that the user chose; they are read where they lie, in ranges, and leave the machine for nowhere.
 * @param name of the folder
 * @param files of it and of folders in it, which are passed over
 */
export function chosenFiles(name: string, files: readonly File[]): ModelFiles {
  const own = new Map(files.filter(isDirectlyInFolder).map((file) => [file.name, file]));
  return {
    name,
    open: (fileName) => {
      const file = own.get(fileName);
      return Promise.resolve(file && fileSource(`${name}/${fileName}`, file));
    },
    list: () => Promise.resolve([...own.keys()]),
  };
}

/** Paths of a chosen folder's files begin with the folder; files that were chosen one by one have none. */
function isDirectlyInFolder({ webkitRelativePath }: File): boolean {
  return webkitRelativePath.split('/').length <= 2;
}

function fileSource(name: string, file: File): ByteSource {
  const source: ByteSource = {
    name,
    size: file.size,
    async read(offset, length) {
      checkRange(source, offset, length);
      const buffer = await file
        .slice(offset, offset + length)
        .arrayBuffer()
        .catch((cause: unknown) => {
          throw new FileError(`${name}: cannot be read any more; choose the folder again`, { cause });
        });
      return new Uint8Array(buffer);
    },
    close: () => Promise.resolve(),
  };
  return source;
}
