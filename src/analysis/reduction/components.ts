import { option, wording } from '../../engine/error-words.ts';
import { InputError } from '../../engine/errors.ts';

/** How many components to keep: a number, or a percent of the variance that they must exceed, such as '95%'. */
export type Components = number | `${number}%`;

/**
 * Reads a number of components as a person writes it: `4`, or `95%`.
 * @throws InputError if it is neither
 */
export function readComponents(text: string): Components {
  const [, percent, whole] = /^\s*(?:((?:\d+\.?\d*|\.\d+))\s*%|(\d+))\s*$/.exec(text) ?? [];
  const components = whole === undefined ? (`${Number(percent)}%` as const) : Number(whole);
  checkComponents(components, text);
  return components;
}

/** @throws InputError naming the number, if it is not a count from 1 on or a percent */
export function checkComponents(components: Components, shown: string | number = components): void {
  const percent = percentOf(components);
  const isRight =
    percent === undefined
      ? Number.isSafeInteger(components) && Number(components) >= 1
      : percent > 0 && percent < 100;
  if (isRight) return;
  throw new InputError(
    wording`${option('components')} ${JSON.stringify(shown)} is not a number of components; give a whole number of at least 1, or a percent of the variance between 0% and 100%, such as 95%`,
    { code: 'option-out-of-range', subject: { kind: 'option', name: 'components' } },
  );
}

/** The percent that is asked for; undefined if a number of components is. */
export function percentOf(components: Components): number | undefined {
  return typeof components === 'string' ? Number(components.replace('%', '')) : undefined;
}
