import { expect, test } from 'vitest';
import { activationCode, activations, parametrised } from '../../src/engine/activations.ts';
import { activations as references } from '../support/reference.ts';

/** transformers' ACT2FN, and which function each name means. */
const named = {
  'gelu tanh': ['gelu_new', 'gelu_fast', 'gelu_pytorch_tanh', 'gelu_python_tanh', 'gelu_accurate'],
  'gelu erf': ['gelu', 'gelu_python'],
  none: ['linear'],
  silu: ['silu', 'swish'],
} as const;
const alone = [
  ...['relu', 'relu2', 'relu6', 'leaky_relu', 'hardswish', 'quick_gelu', 'gelu_10'],
  ...['sigmoid', 'tanh', 'mish', 'laplace', 'sqrtsoftplus'],
];

test("every name of ACT2FN is the function of its kernel's code, or has weights of its own", () => {
  const order = Object.keys(references);
  const expected = new Map<string, string>(alone.map((name) => [name, name]));
  for (const [reference, names] of Object.entries(named)) {
    for (const name of names) expected.set(name, reference);
  }
  expect(new Map(activations.map((name) => [name, order[activationCode(name)]]))).toEqual(
    new Map([...expected].sort((a, b) => rank(a[0]) - rank(b[0]))),
  );
  expect(activations.length + parametrised.length).toBe(24);
});

function rank(name: string): number {
  return (activations as readonly string[]).indexOf(name);
}
