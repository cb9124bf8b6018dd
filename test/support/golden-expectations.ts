import { readFixture } from '#platform';

/** What the golden files expect of one sequence's analysis. */
export interface ExpectedSequence {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Singular values of each centred state, in float64. */
  readonly spectra: readonly Float64Array[];
  readonly maxLogSoftmax: Float32Array;
  readonly ids: Int32Array;
  /** Effective dimension, per state and threshold. */
  readonly effective: readonly (readonly number[])[];
  readonly rank: readonly number[];
  readonly uniqueTokens: number;
  readonly meanMaxLogSoftmax: number;
}

interface ExpectedJson {
  thresholds: number[];
  sequences: Record<
    string,
    { effective: number[][]; rank: number[]; unique_tokens: number; mean_max_log_softmax: number }
  >;
}

type Header = Record<string, { shape: number[]; data_offsets: [number, number] }>;

/**
 * Reads test/golden/NAME/expected.json and the analysis side of expected.safetensors, without the engine's own reader
 * so that the two cannot err together.
 */
export async function readExpected(
  name: string,
): Promise<{ thresholds: number[]; sequences: ExpectedSequence[] }> {
  const folder = `test/golden/${name}`;
  const text = new TextDecoder().decode(await readFixture(`${folder}/expected.json`));
  const { thresholds, sequences } = JSON.parse(text) as ExpectedJson;
  const file = await readFixture(`${folder}/expected.safetensors`);
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerBytes))) as Header;
  const entry = (tensor: string) => {
    const found = header[tensor];
    if (found === undefined) throw new Error(`${folder}/expected.safetensors has no ${tensor}`);
    const [from, to] = found.data_offsets;
    return { shape: found.shape, bytes: file.slice(8 + headerBytes + from, 8 + headerBytes + to).buffer };
  };
  return {
    thresholds,
    sequences: Object.entries(sequences).map(([sequence, expected]) => {
      const [, rows, columns] = entry(`${sequence}.hidden_states`).shape as [number, number, number];
      const singularValues = entry(`${sequence}.singular_values_f64`);
      const [states, components] = singularValues.shape as [number, number];
      const all = new Float64Array(singularValues.bytes);
      return {
        name: sequence,
        rows,
        columns,
        spectra: Array.from({ length: states }, (_, state) =>
          all.subarray(state * components, (state + 1) * components),
        ),
        maxLogSoftmax: new Float32Array(entry(`${sequence}.max_log_softmax`).bytes),
        ids: new Int32Array(entry(`${sequence}.ids`).bytes),
        effective: expected.effective,
        rank: expected.rank,
        uniqueTokens: expected.unique_tokens,
        meanMaxLogSoftmax: expected.mean_max_log_softmax,
      };
    }),
  };
}
