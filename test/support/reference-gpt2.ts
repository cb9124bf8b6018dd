import type { FixtureTensor } from './fixture-files.ts';

/** GPT-2's hyperparameters, as far as the reference needs them. */
export interface ReferenceGpt2 {
  readonly heads: number;
  readonly layers: number;
  readonly epsilon: number;
  readonly activation: (x: number) => number;
}

/**
 * GPT-2 in plain float64, row by row: states 0 … L as transformers numbers them, each [T, width].
 * @param tensors by names that begin with `transformer.`
 */
export function gpt2States(
  tensors: ReadonlyMap<string, FixtureTensor>,
  ids: Int32Array,
  { heads, layers, epsilon, activation }: ReferenceGpt2,
): number[][][] {
  const get = (name: string) => tensors.get(`transformer.${name}`)!;
  const width = get('ln_f.weight').values.length;
  const row = (name: string, index: number) =>
    Array.from(get(name).values.subarray(index * width, (index + 1) * width));

  const norm = (x: readonly number[], name: string) => {
    const mean = x.reduce((sum, value) => sum + value, 0) / width;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const { values: weight } = get(`${name}.weight`);
    const { values: bias } = get(`${name}.bias`);
    return x.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[i]! + bias[i]!);
  };
  const linear = (x: readonly number[], name: string) => {
    const { values, shape } = get(`${name}.weight`); // [in, out]
    const columns = shape[1]!;
    return Array.from(
      get(`${name}.bias`).values,
      (bias, column) => bias + x.reduce((sum, value, k) => sum + value * values[k * columns + column]!, 0),
    );
  };
  const add = (x: readonly number[], y: readonly number[]) => x.map((value, i) => value + y[i]!);

  let states = Array.from(ids, (id, position) => add(row('wte.weight', id), row('wpe.weight', position)));
  const all = [states];
  for (let layer = 0; layer < layers; layer++) {
    const block = `h.${layer}`;
    const projected = states.map((x) => linear(norm(x, `${block}.ln_1`), `${block}.attn.c_attn`));
    const attended = projected.map((query, position) =>
      attend(query, projected.slice(0, position + 1), heads, width),
    );
    states = states.map((x, position) => add(x, linear(attended[position]!, `${block}.attn.c_proj`)));
    states = states.map((x) => {
      const inner = linear(norm(x, `${block}.ln_2`), `${block}.mlp.c_fc`).map(activation);
      return add(x, linear(inner, `${block}.mlp.c_proj`));
    });
    all.push(layer === layers - 1 ? states.map((x) => norm(x, 'ln_f')) : states);
  }
  return all;
}

/** One position's attention: rows are queries | keys | values. */
function attend(
  query: readonly number[],
  rows: readonly (readonly number[])[],
  heads: number,
  width: number,
): number[] {
  const size = width / heads;
  return Array.from({ length: heads }, (_, head) => {
    const at = (part: number, i: number) => part * width + head * size + i;
    const dimensions = Array.from({ length: size }, (_, i) => i);
    const scores = rows.map(
      (row) => dimensions.reduce((sum, i) => sum + query[at(0, i)]! * row[at(1, i)]!, 0) / Math.sqrt(size),
    );
    const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return dimensions.map((i) =>
      rows.reduce((sum, row, j) => sum + (weights[j]! / total) * row[at(2, i)]!, 0),
    );
  }).flat();
}
