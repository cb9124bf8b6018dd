import { FileError } from '../engine/errors.ts';
import type { ByteSource, ModelFiles } from '../engine/files.ts';
import { checkRange } from '../engine/files.ts';

/**
 * Files of a folder that the user chose; they are read from the disk, in ranges, and never leave the machine.
 * @param name of the folder
 * @param files of it and of folders in it, which are found by their paths and not listed
 */
export function chosenFiles(name: string, files: readonly File[]): ModelFiles {
  const own = new Map(files.map((file) => [pathInFolder(file), file]));
  return {
    name,
    open: (fileName) => {
      const file = own.get(fileName);
      return Promise.resolve(file && fileSource(`${name}/${fileName}`, file));
    },
    list: () => Promise.resolve([...own.keys()].filter((path) => !path.includes('/'))),
  };
}

/** Paths of a chosen folder's files begin with the folder; files that were chosen one by one have none. */
function pathInFolder({ webkitRelativePath, name }: File): string {
  return webkitRelativePath.split('/').slice(1).join('/') || name;
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
          throw FileError.at(name, 'cannot be read any more; choose the folder again', { cause });
        });
      return new Uint8Array(buffer);
    },
    close: () => Promise.resolve(),
  };
  return source;
}
