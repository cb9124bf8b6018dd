import type { ModelConfig } from '../engine/config.ts';
import type { TensorDeclaration } from '../engine/safetensors-tensors.ts';
import type { ProfileSpectra } from './figures.ts';
import { jsonText } from './json.ts';
import type { HookValues } from './profile.ts';
import type { Report } from './report.ts';

/** report.json's text. @throws NumericalError if a number in it is not finite */
export function reportJson(report: Report): string {
  return jsonText(report, 'report.json');
}

/** A tensor of spectra.safetensors, and its rows. */
export interface SpectraTensor extends TensorDeclaration {
  readonly rows: readonly ArrayLike<number>[];
}

/**
 * What spectra.safetensors holds: `real.singular_values`, `shuffled.singular_values` and those of any other sequence, F32
 * [L + 1, min(T, d)]; of views other than `all` `real.VIEW.singular_values` of the same shape (zeros follow where a view has
 * fewer); and where named activations were measured `real.NAME.singular_values` [layers, min(T, columns)], * for the layer's
 * number.
 */
export function spectraTensors(spectra: ProfileSpectra, hooks?: HookValues): SpectraTensor[] {
  const tensor = (name: string, rows: readonly ArrayLike<number>[]): SpectraTensor => ({
    name: `${name}.singular_values`,
    dtype: 'F32',
    shape: [rows.length, rows[0]?.length ?? 0],
    rows,
  });
  return [
    ...Object.entries(spectra).map(([name, rows]) => tensor(name, rows)),
    ...Object.entries(hooks ?? {}).flatMap(([name, values]) =>
      Object.entries(values).map(([hook, rows]) => tensor(`${name}.${hook}`, rows)),
    ),
  ];
}

/**
 * What states.safetensors holds, in its order: every state of one sequence of `tokens` tokens, and of its logits
 * nothing, their maxima, or those and all of them.
 */
export function captureTensors(
  config: ModelConfig,
  tokens: number,
  logits: 'none' | 'maxima' | 'all',
): TensorDeclaration[] {
  const { layers, width } = config;
  return [
    idsTensor(tokens),
    { name: 'hidden_states', dtype: 'F32', shape: [layers + 1, tokens, width] },
    { name: 'residual_final', dtype: 'F32', shape: [tokens, width] },
    ...logitsTensors(config, tokens, logits),
  ];
}

/**
 * What a file of named activations holds, in its order: the ids, the activations under their names, and with them the
 * logits if all of those are wanted.
 */
export function activationTensors(
  config: ModelConfig,
  tokens: number,
  captures: readonly { readonly name: string; readonly shape: readonly number[] }[],
  logits: 'none' | 'all',
): TensorDeclaration[] {
  return [
    idsTensor(tokens),
    ...captures.map(({ name, shape }) => ({ name, dtype: 'F32', shape })),
    ...logitsTensors(config, tokens, logits),
  ];
}

function idsTensor(tokens: number): TensorDeclaration {
  return { name: 'ids', dtype: 'I32', shape: [tokens] };
}

function logitsTensors(
  { vocabulary }: ModelConfig,
  tokens: number,
  logits: 'none' | 'maxima' | 'all',
): TensorDeclaration[] {
  if (logits === 'none') return [];
  return [
    { name: 'max_log_softmax', dtype: 'F32', shape: [tokens] },
    { name: 'argmax', dtype: 'I32', shape: [tokens] },
    ...(logits === 'all' ? [{ name: 'logits', dtype: 'F32', shape: [tokens, vocabulary] }] : []),
  ];
}
