import type { ProfileSpectra } from '../analysis/figures.ts';
import type { Report, SequenceName } from '../analysis/report.ts';
import { sequenceNames } from '../analysis/report.ts';
import { decodeFloats } from '../engine/decode.ts';
import { bytesSource } from '../engine/files.ts';
import { readHeader } from '../engine/safetensors.ts';
import { FormatError } from '../engine/errors.ts';

/** The text of every token, to be shown one after another; [T] each. */
export type TokenTexts = Readonly<Record<SequenceName, readonly string[]>>;

/** A run as the page shows it. */
export interface PageRun {
  readonly report: Report;
  /** undefined where only the report is known. */
  readonly spectra: ProfileSpectra | undefined;
  /** undefined where no tokenizer was at hand. */
  readonly texts: TokenTexts | undefined;
}

/** Reads spectra.safetensors. @throws FormatError if it is another file */
export async function readSpectra(bytes: Uint8Array<ArrayBuffer>): Promise<ProfileSpectra> {
  const { tensors } = await readHeader(bytesSource('spectra.safetensors', bytes));
  const spectra: Record<string, Float32Array[]> = {};
  for (const [name, { dtype, shape, offset, bytes: length }] of tensors) {
    // Those of named activations have the activation's name between.
    const sequence = /^(\w+)\.singular_values$/.exec(name)?.[1];
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
