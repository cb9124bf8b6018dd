/**
 * The activations of an MLP, by the names that configurations give them (transformers' ACT2FN), and the matrix
 * product's code for each. Several names are one function: they differ in transformers by rounding alone.
 */
const CODES = {
  linear: 0,
  gelu_new: 1,
  gelu_fast: 1,
  gelu_pytorch_tanh: 1,
  gelu_python_tanh: 1,
  gelu_accurate: 1,
  gelu: 2,
  gelu_python: 2,
  relu: 3,
} as const;

export type Activation = keyof typeof CODES;

/** Every activation that the engine computes. */
export const activations = Object.keys(CODES) as readonly Activation[];

/** The value of the kernel's `activation`. */
export function activationCode(activation: Activation): number {
  return CODES[activation];
}
