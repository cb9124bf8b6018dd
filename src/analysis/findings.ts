import { grouped } from './quantities.ts';
import type { Report, SequenceReport } from './report.ts';

/**
 * A profile in sentences: what a layer's variance takes, in both sequences, and how many different tokens the window has.
 * @param layer 0 to L
 */
export function findings(report: Report, layer: number): string[] {
  const { real, shuffled } = report.sequences;
  return [
    explained(real, layer, report.threshold, 'the text'),
    explained(shuffled, layer, report.threshold, 'the shuffled text'),
    `The window has ${grouped(real.unique_tokens)} unique ${real.unique_tokens === 1 ? 'token' : 'tokens'} of ${grouped(real.ids.length)}.`,
  ];
}

function explained({ layers }: SequenceReport, layer: number, threshold: number, text: string): string {
  const count = layers[layer]!.effective_dimension;
  const where = `at layer ${layer} of ${text}`;
  if (count === 0) return `Nothing varies ${where}.`;
  if (threshold >= 100) return `All ${grouped(count)} components are counted ${where}.`;
  const subject = count === 1 ? '1 component explains' : `${grouped(count)} components explain`;
  return `${subject} more than ${threshold}% of the variance ${where}.`;
}
