import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledModels } from '../analysis/bundled.ts';
import { LaminarError } from '../engine/errors.ts';

/** The model of a command that names none. */
export const defaultModel = bundledModels[0];

export function isBundledModel(name: string): boolean {
  return bundledModels.some((bundled) => bundled === name);
}

/**
 * The path of a file or folder that comes with the package, wherever that is installed, and whether this code runs
 * from src/ or from the build in dist/.
 */
export function bundledPath(pathInPackage: string): string {
  return join(packageRoot(), pathInPackage);
}

function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder);) {
    if (isPackageRoot(folder)) return folder;
    folder = dirname(folder);
  }
  throw new LaminarError('the bundled models are not beside the program; install the package laminar again');
}

function isPackageRoot(folder: string): boolean {
  try {
    const json = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return json.name === 'laminar';
  } catch {
    return false;
  }
}
