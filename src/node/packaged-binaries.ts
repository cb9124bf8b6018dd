import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { DeviceError } from '../engine/errors.ts';

const require = createRequire(import.meta.url);

/** The regular files of a tar archive that Brotli compressed: path and content. */
export async function archivedFiles(path: string): Promise<Map<string, Buffer>> {
  return new Map(tarFiles(brotliDecompressSync(await readFile(path))));
}

/** The regular files of an uncompressed tar archive (POSIX ustar: 512-byte headers, octal sizes). */
function* tarFiles(archive: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at + 512 <= archive.length;) {
    const name = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = parseInt(archive.toString('latin1', at + 124, at + 136), 8);
    const type = archive.toString('latin1', at + 156, at + 157);
    if (name === '') return;
    if (type === '0' || type === '\0') {
      yield [name.replace(/^\.\//, ''), archive.subarray(at + 512, at + 512 + size)];
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/** The folder of an installed package. @throws DeviceError if it is not installed. */
export function packageFolder(name: string): string {
  // Some packages do not export package.json: look for the folder along the resolution paths instead.
  for (const modules of require.resolve.paths(name) ?? []) {
    try {
      return dirname(require.resolve(join(modules, name, 'package.json')));
    } catch {
      // not here
    }
  }
  throw new DeviceError(`the package ${name} is not installed`);
}

export async function packageVersion(folder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** The version of the package that holds Dawn; null if it is not known. */
export function webgpuVersion(): string | null {
  try {
    const { version } = require('webgpu/package.json') as { version?: string };
    return version ?? null;
  } catch {
    return null;
  }
}
