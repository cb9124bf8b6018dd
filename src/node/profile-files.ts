import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { figureNames, figures } from '../analysis/figures.ts';
import type { ProfileSpectra } from '../analysis/figures.ts';
import { reportJson, spectraTensors } from '../analysis/output-files.ts';
import type { SpectraTensor } from '../analysis/output-files.ts';
import type { HookValues } from '../analysis/profile.ts';
import { profileCsv } from '../analysis/profile-csv.ts';
import type { Report } from '../analysis/report.ts';
import { writeFileAtomically } from './atomic.ts';
import { fileErrorFrom } from './file-errors.ts';
import { SafetensorsWriter } from './safetensors-writer.ts';
import type { StageProgress } from './terminal.ts';

/**
 * Writes a profile's files into a folder, each whole or not at all, report.json last: where it stands, the others do. The
 * report and figures that are there go first, so that files of two runs never stand side by side under one report.
 * @throws FileError if one cannot be written
 */
export async function writeProfileFiles(
  folder: string,
  report: Report,
  spectra: ProfileSpectra,
  options: { signal: AbortSignal; onProgress: StageProgress; hookValues?: HookValues | undefined },
): Promise<void> {
  const { signal, onProgress } = options;
  // Drawing takes Vega, which the other commands need not load.
  const { renderPng, renderSvg } = await import('./render.ts');
  const specifications = figures(report, spectra);
  const total = specifications.length + 1;
  await removeFile(join(folder, 'report.json'));
  // A model without a head has one figure less than the run that was there before.
  for (const name of figureNames)
    for (const ending of ['svg', 'png']) await removeFile(join(folder, 'figures', `${name}.${ending}`));
  for (const [index, { name, specification }] of specifications.entries()) {
    signal.throwIfAborted();
    onProgress(index, total);
    const svg = await renderSvg(specification);
    await writeFileAtomically(join(folder, 'figures', `${name}.svg`), svg);
    await writeFileAtomically(join(folder, 'figures', `${name}.png`), renderPng(svg));
  }
  signal.throwIfAborted();
  await writeSpectra(join(folder, 'spectra.safetensors'), spectraTensors(spectra, options.hookValues));
  await writeFileAtomically(join(folder, 'profile.csv'), profileCsv(report));
  await writeFileAtomically(join(folder, 'report.json'), reportJson(report));
  onProgress(total, total);
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((error: unknown) => {
    throw fileErrorFrom(error, path, 'remove the file');
  });
}

async function writeSpectra(path: string, tensors: readonly SpectraTensor[]): Promise<void> {
  const writer = await SafetensorsWriter.create(path, tensors);
  try {
    for (const { name, rows } of tensors) {
      for (const values of rows) await writer.append(name, Float32Array.from(values));
    }
    await writer.commit();
  } finally {
    await writer.abort();
  }
}
