import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { bundledModels as repositoryModels } from '../analysis/bundled.ts';
import { LaminarError } from '../engine/errors.ts';

/** The bundled models that are here: the repository has all of them, the npm package only the small ones. */
export function bundledModels(): string[] {
  return repositoryModels.filter((name) => existsSync(bundledPath(`weights/${name}`)));
}

/** The model of a command that names none. */
export function defaultModel(): string {
  return bundledModels()[0] ?? repositoryModels[0];
}

export function isBundledModel(name: string): boolean {
  return bundledModels().includes(name);
}

/**
 * The path of a file or folder that comes with the package, wherever that is installed, and whether this code runs
 * from src/ or from the build in dist/.
 */
export function bundledPath(pathInPackage: string): string {
  return join((root ??= packageRoot()), pathInPackage);
}

/** Looked for once. */
let root: string | undefined;

function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder);) {
    if (isPackageRoot(folder)) return folder;
    folder = dirname(folder);
  }
  throw new LaminarError('the bundled models are missing from the package; install the package again');
}

function isPackageRoot(folder: string): boolean {
  try {
    const json = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return json.name === packageJson.name;
  } catch {
    return false;
  }
}
