import { reportAdvice } from '../analysis/compare/report-fields.ts';
import { savedReport } from '../analysis/compare/saved-report.ts';
import { measureNames } from '../analysis/dimensions.ts';
import type { ProfileSpectra } from '../analysis/figures.ts';
import { spectraTensors } from '../analysis/output-files.ts';
import { sequenceNames } from '../analysis/report.ts';
import type {
  LayerReport,
  Report,
  SequenceName,
  SequenceReport,
  SequenceReports,
} from '../analysis/report.ts';
import { viewNames } from '../analysis/views.ts';
import { decodeFloats } from '../engine/decode.ts';
import { FormatError } from '../engine/errors.ts';
import { bytesSource, parseJson } from '../engine/files.ts';
import { readHeader } from '../engine/safetensors.ts';
import { safetensorsBlob } from './safetensors-blob.ts';

/** The text of every token, to be shown one after another; [T] each. */
export type TokenTexts = Readonly<Record<SequenceName, readonly string[]>>;

/** A run as the page shows it. */
export interface PageRun {
  readonly report: Report;
  /** undefined if only the report is known. */
  readonly spectra: ProfileSpectra | undefined;
  /** undefined if there was no tokenizer. */
  readonly texts: TokenTexts | undefined;
}

/** A run's files, by their names: what the command leaves in a folder, and the tokens' texts. */
export interface RunFiles {
  readonly report: string;
  readonly spectra?: Uint8Array<ArrayBuffer> | undefined;
  readonly texts?: string | undefined;
}

/**
 * Reads a run of this version or another.
 * @param source what to call it in messages
 * @throws FormatError if a file is not of the right kind, or belongs to another run
 */
export async function readRun({ report: json, spectra, texts }: RunFiles, source: string): Promise<PageRun> {
  const report = completeReport(parseJson(json, source, reportAdvice), source);
  const read = spectra && (await readSpectra(spectra));
  if (read) checkSpectra(read, report);
  return {
    report,
    spectra: read,
    texts: texts === undefined ? undefined : (JSON.parse(texts) as TokenTexts),
  };
}

/** Numbers of one run under those of another would be drawn as if they were its own. */
function checkSpectra(spectra: ProfileSpectra, { model, sequences }: Report): void {
  const rows = model.layers + 1;
  for (const [name, { ids }] of Object.entries(sequences)) {
    const found = spectra[name];
    const components = Math.min(ids.length, model.width);
    if (found?.length === rows && found[0]!.length === components) continue;
    const shape = found ? `[${found.length}, ${found[0]?.length ?? 0}]` : 'nothing';
    throw FormatError.at(
      'spectra.safetensors',
      `has ${shape} under ${name}.singular_values, where the report needs [${rows}, ${components}]; choose the file of the same run`,
    );
  }
}

/** What the page reads of a report and an older version did not write is null or empty. */
function completeReport(json: unknown, source: string): Report {
  savedReport(json, source); // throws if it is something else
  const report = json as Report;
  const { model, sequences } = report;
  const whole = (sequence: SequenceReport): SequenceReport => {
    const components = Math.min(sequence.ids.length, model.width);
    const missing = Object.fromEntries(measureNames.map((name) => [name, null]));
    return {
      ...sequence,
      max_log_softmax: (sequence as Partial<SequenceReport>).max_log_softmax ?? null,
      layers: sequence.layers.map(
        (layer: Partial<LayerReport>) => ({ ...missing, components, ...layer }) as LayerReport,
      ),
    };
  };
  return {
    ...report,
    text: (report as Partial<Report>).text ?? null,
    adapter: (report as Partial<Report>).adapter ?? {
      vendor: '',
      architecture: '',
      description: 'an adapter without a name',
      software: false,
    },
    timings_ms: (report as Partial<Report>).timings_ms ?? { load: 0, forward: 0, spectrum: 0, total: 0 },
    sequences: Object.fromEntries(
      Object.entries(sequences).map(([name, sequence]) => [name, whole(sequence)]),
    ) as unknown as SequenceReports,
  };
}

/** spectra.safetensors, as the command writes it. */
export function spectraBlob(spectra: ProfileSpectra): Blob {
  const chunks = Object.entries(spectra).map(([name, rows]) => {
    const values = rows.map((singularValues) => Float32Array.from(singularValues));
    return [`${name}.singular_values`, values] as const;
  });
  return safetensorsBlob(spectraTensors(spectra), new Map(chunks));
}

/** The tensors of sequences and of their views; tensors of named activations have the activation's name in the middle. */
const spectrum = new RegExp(`^(\\w+(?:\\.(?:${viewNames.join('|')}))?)\\.singular_values$`);

/** Reads spectra.safetensors. @throws FormatError if it is another file */
export async function readSpectra(bytes: Uint8Array<ArrayBuffer>): Promise<ProfileSpectra> {
  const { tensors } = await readHeader(bytesSource('spectra.safetensors', bytes));
  const spectra: Record<string, Float32Array[]> = {};
  for (const [name, { dtype, shape, offset, bytes: length }] of tensors) {
    const sequence = spectrum.exec(name)?.[1];
    if (sequence === undefined || dtype !== 'F32' || shape.length !== 2) continue;
    const [rows, columns] = shape as [number, number];
    const values = decodeFloats('F32', bytes.subarray(offset, offset + length), name);
    spectra[sequence] = Array.from({ length: rows }, (_, row) =>
      values.subarray(row * columns, (row + 1) * columns),
    );
  }
  for (const name of sequenceNames)
    if (!spectra[name])
      throw new FormatError(
        `spectra.safetensors: has no matrix ${name}.singular_values in F32; choose the file that a run wrote`,
      );
  return spectra as unknown as ProfileSpectra;
}
