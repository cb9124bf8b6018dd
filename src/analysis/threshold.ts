import { option, wording } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';

/**
 * Checks a threshold: the percent of the variance that the effective dimension must exceed. 0 counts the first component
 * of any variance, 100 counts all components.
 * @param shown the value as the user wrote it, for the error
 * @throws InputError if it is not a number from 0 to 100
 */
export function checkThreshold(threshold: number, shown = String(threshold)): void {
  if (!(threshold >= 0 && threshold <= 100))
    throw new InputError(
      wording`${option('threshold')} ${shown} is not a percent; give a number from 0 to 100, such as 95 for 95% of the variance`,
      { code: 'option-out-of-range', subject: { kind: 'option', name: 'threshold' } },
    );
}

/**
 * Reads a threshold that a person wrote, for the command and the page alike: `95`, or `95%`. A number above 0 and up to 1
 * may be meant as a share, such as 0.95 for 95%. So it is refused with a question; with a percent sign it is taken.
 * @throws InputError if it is not a number from 0 to 100, or may be a share
 */
export function readThreshold(text: string): number {
  const [, number, sign] = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)\s*$/i.exec(text) ?? [];
  const threshold = Number(number);
  checkThreshold(threshold, number === undefined ? JSON.stringify(text) : `${number}${sign}`);
  if (threshold > 0 && threshold <= 1 && sign === '') {
    const percent = Number((100 * threshold).toPrecision(12));
    throw new InputError(
      wording`${option('threshold')} ${text.trim()} is at most 1, but a threshold is a percent: was ${percent} meant? Give ${percent} for ${percent}% of the variance, or ${text.trim()}% for ${text.trim()}%`,
      { code: 'option-ambiguous', subject: { kind: 'option', name: 'threshold' } },
    );
  }
  return threshold;
}

/** What the effective dimension counts, in words. Nothing exceeds 100%, so all components count at that threshold. */
export function countedComponents(threshold: number): string {
  return threshold >= 100
    ? 'all components, whatever they hold of the variance'
    : `components that hold over ${threshold}% of the variance`;
}
