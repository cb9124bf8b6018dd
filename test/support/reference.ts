/**
 * What the forward pass's kernels compute, in plain float64: the oracles of their tests. Matrices are row-major.
 */

type Numbers = ArrayLike<number>;

/** erf(x) by its series of positive terms, 1 − erfc by its continued fraction beyond 3 (Abramowitz and Stegun 7.1.6, 7.1.14). */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z >= 3) return Math.sign(x) * (1 - erfcBeyondThree(z));
  let term = z;
  let sum = z;
  for (let n = 1; n < 120; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

function erfcBeyondThree(z: number): number {
  let fraction = z;
  for (let n = 120; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
}

function geluErf(x: number): number {
  const z = x / Math.SQRT2;
  return 0.5 * x * (z < -3 ? erfcBeyondThree(-z) : 1 + erf(z));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
/** ln(1 + e^x). */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The activations, in the order of the kernel's codes, as transformers and PyTorch define them. */
export const activations = {
  none: (x: number) => x,
  'gelu tanh': (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  'gelu erf': geluErf,
  relu: (x: number) => Math.max(x, 0),
  quick_gelu: (x: number) => x * sigmoid(1.702 * x),
  gelu_10: (x: number) => clamp(geluErf(x), -10, 10),
  silu: (x: number) => x * sigmoid(x),
  sigmoid,
  tanh: (x: number) => Math.tanh(x),
  mish: (x: number) => x * Math.tanh(softplus(x)),
  laplace: (x: number) => {
    const z = (x - 0.707107) / (0.282095 * Math.SQRT2);
    return z < -3 ? 0.5 * erfcBeyondThree(-z) : 0.5 * (1 + erf(z));
  },
  leaky_relu: (x: number) => (x > 0 ? x : 0.01 * x),
  relu2: (x: number) => Math.max(x, 0) ** 2,
  relu6: (x: number) => clamp(x, 0, 6),
  hardswish: (x: number) => (x * clamp(x + 3, 0, 6)) / 6,
  sqrtsoftplus: (x: number) => Math.sqrt(softplus(x)),
} as const satisfies Record<string, (x: number) => number>;
export type ActivationName = keyof typeof activations;

/**
 * input [rows, inner] · weight, and the sum of the terms' magnitudes, by which rounding errors are measured.
 * @param weight [inner, columns], or [columns, inner] where `transposed`
 */
export function matrixProduct(
  input: Numbers,
  weight: Numbers,
  { rows, inner, columns, transposed }: { rows: number; inner: number; columns: number; transposed: boolean },
): { product: Float64Array; magnitude: Float64Array } {
  const product = new Float64Array(rows * columns);
  const magnitude = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < inner; k++) {
        const term =
          input[row * inner + k]! * weight[transposed ? column * inner + k : k * columns + column]!;
        product[row * columns + column]! += term;
        magnitude[row * columns + column]! += Math.abs(term);
      }
    }
  }
  return { product, magnitude };
}

/** (x − mean) / √(variance + epsilon) · weight + bias for each row, biased variance. */
export function layerNorm(input: Numbers, weight: Numbers, bias: Numbers, epsilon: number): Float64Array {
  const width = weight.length;
  const output = new Float64Array(input.length);
  for (let start = 0; start < input.length; start += width) {
    const row = Float64Array.from({ length: width }, (_, i) => input[start + i]!);
    const mean = row.reduce((sum, x) => sum + x, 0) / width;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
    const deviation = Math.sqrt(variance + epsilon);
    row.forEach((x, i) => (output[start + i] = ((x - mean) / deviation) * weight[i]! + bias[i]!));
  }
  return output;
}

/** x / √(mean(x²) + epsilon) · weight for each row. */
export function rmsNorm(input: Numbers, weight: Numbers, epsilon: number): Float64Array {
  const width = weight.length;
  const output = new Float64Array(input.length);
  for (let start = 0; start < input.length; start += width) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += input[start + i]! * input[start + i]!;
    const root = Math.sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++) output[start + i] = (input[start + i]! / root) * weight[i]!;
  }
  return output;
}

/** Where heads lie in a row of queries, keys and values. */
export interface Heads {
  readonly heads: number;
  /** Of keys, and of values. */
  readonly keyValueHeads: number;
  readonly headWidth: number;
  readonly headStride: number;
  readonly keyOffset: number;
  readonly valueOffset: number;
}

/** GPT-2's rows: all queries, all keys, all values. */
export function gpt2Heads(heads: number, headWidth: number): Heads {
  return groupedHeads(heads, heads, headWidth);
}

/** Rows of separate queries, keys and values, side by side; queries may have more heads. */
export function groupedHeads(heads: number, keyValueHeads: number, headWidth: number): Heads {
  const keyOffset = heads * headWidth;
  const valueOffset = keyOffset + keyValueHeads * headWidth;
  return { heads, keyValueHeads, headWidth, headStride: headWidth, keyOffset, valueOffset };
}

/** Elements of a row of queries, keys and values. */
export function rowOf({ heads, keyValueHeads, headWidth }: Heads): number {
  return (heads + 2 * keyValueHeads) * headWidth;
}

/** GPT-NeoX's rows: query, key and value of one head after another. */
export function neoxHeads(heads: number, headWidth: number): Heads {
  const [headStride, keyOffset, valueOffset] = [3 * headWidth, headWidth, 2 * headWidth];
  return { heads, keyValueHeads: heads, headWidth, headStride, keyOffset, valueOffset };
}

/** Causal attention of one sequence: queryKeyValue [tokens, rowOf(layout)] gives [tokens, heads · headWidth]. */
export function attention(
  queryKeyValue: Numbers,
  tokens: number,
  layout: Heads,
  scale: number,
): Float64Array {
  const { heads, keyValueHeads, headWidth, headStride, keyOffset, valueOffset } = layout;
  const stride = rowOf(layout);
  const output = new Float64Array(tokens * heads * headWidth);
  for (let head = 0; head < heads; head++) {
    const keyHead = Math.floor((head * keyValueHeads) / heads);
    const queryAt = (token: number, d: number) => queryKeyValue[token * stride + head * headStride + d]!;
    const at = (token: number, d: number) => queryKeyValue[token * stride + keyHead * headStride + d]!;
    for (let query = 0; query < tokens; query++) {
      const scores = new Float64Array(query + 1);
      for (let key = 0; key <= query; key++) {
        let sum = 0;
        for (let d = 0; d < headWidth; d++) sum += queryAt(query, d) * at(key, keyOffset + d);
        scores[key] = scale * sum;
      }
      const most = scores.reduce((largest, score) => Math.max(largest, score), -Infinity);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const row = output.subarray((query * heads + head) * headWidth, (query * heads + head + 1) * headWidth);
      for (let key = 0; key <= query; key++) {
        const weight = weights[key]! / total;
        for (let d = 0; d < headWidth; d++) row[d]! += weight * at(key, valueOffset + d);
      }
    }
  }
  return output;
}

/** Rotates the first `dimensions` of each query and key by its position, rotate-half, angles in float64. */
export function rotary(
  queryKeyValue: Numbers,
  tokens: number,
  layout: Heads,
  dimensions: number,
  base: number,
): Float64Array {
  const { heads, keyValueHeads, headStride, keyOffset } = layout;
  const rotated = Float64Array.from(queryKeyValue);
  const stride = rowOf(layout);
  const half = dimensions / 2;
  for (let token = 0; token < tokens; token++) {
    const angles = Float64Array.from({ length: half }, (_, i) => token * base ** (-i / half));
    const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
    for (let head = 0; head < heads; head++) {
      for (const start of head < keyValueHeads ? [0, keyOffset] : [0]) {
        const first = token * stride + head * headStride + start;
        for (let i = 0; i < half; i++) {
          const a = queryKeyValue[first + i]!;
          const b = queryKeyValue[first + half + i]!;
          rotated[first + i] = a * cosines[i]! - b * sines[i]!;
          rotated[first + half + i] = b * cosines[i]! + a * sines[i]!;
        }
      }
    }
  }
  return rotated;
}

/** The largest log-softmax of each row of logits and the lowest column that reaches it. */
export function maxLogSoftmax(
  logits: Numbers,
  rows: number,
  columns: number,
): { value: number; argmax: number }[] {
  return Array.from({ length: rows }, (_, row) => {
    const scores = Array.from({ length: columns }, (_, column) => logits[row * columns + column]!);
    const most = scores.reduce((largest, score) => Math.max(largest, score), -Infinity);
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
    return { value: -Math.log(sum), argmax: scores.indexOf(most) };
  });
}
