import { figureNames, figures } from '../analysis/figures.ts';
import type { ProfileSpectra } from '../analysis/figures.ts';
import { reportJson, spectraTensors } from '../analysis/output-files.ts';
import type { SpectraTensor } from '../analysis/output-files.ts';
import type { HookValues } from '../analysis/profile.ts';
import { profileCsv } from '../analysis/profile-csv.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { Report } from '../analysis/report.ts';
import { figureFileNames, writeFigures } from './figure-files.ts';
import type { FileSet } from './file-set.ts';
import { tokensFile } from './profile-text.ts';
import { SafetensorsWriter } from './safetensors-writer.ts';
import type { StageProgress } from './terminal.ts';

const REPORT = 'report.json';
const SPECTRA = 'spectra.safetensors';
const CSV = 'profile.csv';

/** Every file that a profile may write, drawn or not, the report last: if it is there, so are the others. */
export const profileFileNames: readonly string[] = [
  ...figureFileNames(figureNames),
  ...sequenceNames.map(tokensFile),
  SPECTRA,
  CSV,
  REPORT,
];

/**
 * Writes a profile's files and puts them in place, all at once. If an earlier run wrote a file that this run does not,
 * it is removed.
 * @throws FileError if one cannot be written
 */
export async function writeProfileFiles(
  files: FileSet,
  report: Report,
  spectra: ProfileSpectra,
  options: {
    signal: AbortSignal;
    onProgress: StageProgress;
    hookValues?: HookValues | undefined;
    /** Whose spectrum to draw; the middle one unless asked. */
    layer?: number | undefined;
    /** More files of the run, by their names. */
    pages?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { signal, onProgress, layer, pages = {} } = options;
  const drawn = figures(report, spectra, { layer });
  const total = drawn.length + 1;
  await writeFigures(files, drawn, { signal, onFigure: (done) => onProgress(done, total) });
  await writeSpectra(files.place(SPECTRA), spectraTensors(spectra, options.hookValues));
  for (const [name, page] of Object.entries(pages)) await files.write(name, page);
  await files.write(CSV, profileCsv(report));
  await files.write(REPORT, reportJson(report));
  signal.throwIfAborted();
  await files.commit();
  onProgress(total, total);
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
