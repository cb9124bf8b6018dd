import type { ModelConfig } from '../engine/config.ts';
import type { TensorDeclaration } from '../engine/safetensors.ts';
import type { ProfileSpectra } from './figures.ts';
import { jsonText } from './json.ts';
import { sequenceNames } from './report.ts';
import type { Report } from './report.ts';

/** report.json's text. @throws NumericalError if a number in it is not finite */
export function reportJson(report: Report): string {
  return jsonText(report, 'report.json');
}

/** What spectra.safetensors holds: `real.singular_values` and `shuffled.singular_values`, F32 [L + 1, min(T, d)]. */
export function spectraTensors(spectra: ProfileSpectra): TensorDeclaration[] {
  return sequenceNames.map((name) => ({
    name: `${name}.singular_values`,
    dtype: 'F32',
    shape: [spectra[name].length, spectra[name][0]?.length ?? 0],
  }));
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
  const { layers, width, vocabulary } = config;
  const maxima = [
    { name: 'max_log_softmax', dtype: 'F32', shape: [tokens] },
    { name: 'argmax', dtype: 'I32', shape: [tokens] },
  ];
  return [
    { name: 'ids', dtype: 'I32', shape: [tokens] },
    { name: 'hidden_states', dtype: 'F32', shape: [layers + 1, tokens, width] },
    { name: 'residual_final', dtype: 'F32', shape: [tokens, width] },
    ...(logits === 'none' ? [] : maxima),
    ...(logits === 'all' ? [{ name: 'logits', dtype: 'F32', shape: [tokens, vocabulary] }] : []),
  ];
}
