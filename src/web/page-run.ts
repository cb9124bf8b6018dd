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
  const rowsOf = (sequence: SequenceName): Float32Array[] => {
    const tensor = tensors.get(`${sequence}.singular_values`);
    if (tensor?.dtype !== 'F32' || tensor.shape.length !== 2)
      throw new FormatError(
        `spectra.safetensors: has no matrix ${sequence}.singular_values in F32; choose the file that a run wrote`,
      );
    const content = bytes.subarray(tensor.offset, tensor.offset + tensor.bytes);
    const values = decodeFloats('F32', content, tensor.name);
    const [rows, columns] = tensor.shape as [number, number];
    return Array.from({ length: rows }, (_, row) => values.subarray(row * columns, (row + 1) * columns));
  };
  const [real, shuffled] = sequenceNames.map(rowsOf);
  return { real: real!, shuffled: shuffled! };
}
