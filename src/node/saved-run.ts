import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SavedRun, SavedSpectra } from '../analysis/compare/run.ts';
import { readReport } from '../analysis/compare/saved-report.ts';
import { withThreshold } from '../analysis/compare/with-threshold.ts';
import { budgets } from '../engine/budgets.ts';
import { FileError, FormatError } from '../engine/errors.ts';
import { listNames } from '../engine/message.ts';
import { readHeader } from '../engine/safetensors.ts';
import { fileErrorFrom, systemErrorCode } from './file-errors.ts';
import { openFile, readTextFile } from './files.ts';

const SUFFIX = '.singular_values';

/**
 * Reads a run from its folder, or from a report.json.
 * @param threshold at which the effective dimensions are wanted; if the run had another one, they are computed again
 * from spectra.safetensors, which is next to the report
 * @throws FileError or FormatError if there is no report, or it cannot be read, or has no singular values if they are
 * needed
 */
export async function readRun(path: string, threshold?: number): Promise<SavedRun> {
  const file = await reportPath(path);
  const text = await readTextFile(file, budgets.report);
  if (text === undefined) throw FileError.at(file, 'cannot read the file: no such file');
  const report = readReport(text, file);
  if (threshold === undefined || threshold === report.threshold) return { source: path, report };
  const spectra = join(dirname(file), 'spectra.safetensors');
  const changed = withThreshold(report, await readSpectra(spectra), threshold, spectra);
  const { lostViews } = changed;
  const notices =
    lostViews.length === 0
      ? []
      : [
          `${spectra}: has no singular values of ${listNames(lostViews)}, so their effective dimensions at ${threshold}% are not known; profile the model again`,
        ];
  return { source: path, report: changed.report, notices };
}

async function reportPath(path: string): Promise<string> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileErrorFrom(error, path, 'open the run');
  });
  if (!status.isDirectory()) return path;
  const names = await readdir(path).catch((error: unknown) => {
    throw fileErrorFrom(error, path, 'read the folder');
  });
  if (names.includes('report.json')) return join(path, 'report.json');
  const inner = await Promise.all(
    names.sort().map(async (name) => ((await holdsReport(join(path, name))) ? [join(path, name)] : [])),
  );
  const runs = inner.flat();
  const meant = runs.length > 0 ? `; is ${runs.slice(0, 3).join(' ')} meant?` : '';
  throw FileError.at(
    path,
    `has no report.json; give a folder that laminar profile wrote, or a report.json${meant}`,
  );
}

/** Whether a folder is a run's. */
export function holdsReport(folder: string): Promise<boolean> {
  return stat(join(folder, 'report.json')).then(
    (status) => status.isFile(),
    () => false,
  );
}

/** The singular values that a run left, by the names of its sequences. */
async function readSpectra(path: string): Promise<SavedSpectra> {
  const source = await openFile(path).catch((error: unknown) => {
    if (systemErrorCode((error as Error).cause) !== 'ENOENT') throw error;
    throw FileError.at(
      path,
      'is not there, and --threshold needs its singular values; profile the model again, or leave --threshold out',
    );
  });
  try {
    const { tensors } = await readHeader(source);
    const spectra = new Map<string, Float32Array[]>();
    for (const { name, dtype, shape, offset, bytes } of tensors.values()) {
      const [rows = 0, columns = 0] = shape;
      if (!name.endsWith(SUFFIX)) continue;
      if (dtype !== 'F32' || shape.length !== 2)
        throw FormatError.at(
          path,
          `${name} is ${dtype} [${shape.join(', ')}], where F32 [layers, components] belongs; profile the model again`,
        );
      const values = new Float32Array((await source.read(offset, bytes)).buffer);
      const list = Array.from({ length: rows }, (_, row) => values.slice(row * columns, (row + 1) * columns));
      spectra.set(name.slice(0, -SUFFIX.length), list);
    }
    return spectra;
  } finally {
    await source.close();
  }
}
