/**
 * The activations of an MLP, by the names of configurations (transformers' ACT2FN), and the matrix product's code for
 * each. Several names are one function: in transformers they differ only by rounding.
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
  quick_gelu: 4,
  gelu_10: 5,
  silu: 6,
  swish: 6,
  sigmoid: 7,
  tanh: 8,
  mish: 9,
  laplace: 10,
  leaky_relu: 11,
  relu2: 12,
  relu6: 13,
  hardswish: 14,
  sqrtsoftplus: 15,
} as const;

export type Activation = keyof typeof CODES;

/** Every activation that the engine computes. */
export const activations = Object.keys(CODES) as readonly Activation[];

/** The value of the kernel's `activation`. */
export function activationCode(activation: Activation): number {
  return CODES[activation];
}

/** Functions of ACT2FN with weights of their own. No checkpoint of these families names them. */
export const parametrised: readonly string[] = ['prelu', 'xielu'];
