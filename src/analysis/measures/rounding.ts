import { rowNorms } from '../views.ts';
import type { HeldMatrix } from './measure-views.ts';
import { variance } from './spectral.ts';

/** States are right to about this part of their size (docs/accuracy.md). */
const RELATIVE_ROUNDING = 1e-6;

/**
 * Whether rows differ by so little, compared with their norms, that the difference is rounding: the spectrum is of the
 * rounding then, such as that of a model whose tokens are all embedded alike. Equal rows have no spectrum.
 */
export function differByRounding({ values, columns, measured }: HeldMatrix): boolean {
  const spread = variance(measured.singularValues);
  const size = rowNorms(values, columns).reduce((sum, norm) => sum + norm * norm, 0);
  return spread > 0 && spread < RELATIVE_ROUNDING ** 2 * size;
}

/** One sentence about all such matrices; undefined if there are none. */
export function roundingNotice([first, ...others]: readonly string[]): string | undefined {
  if (first === undefined) return undefined;
  const which =
    others.length === 0 ? first : `${first} and ${others.length} ${others.length === 1 ? 'other' : 'others'}`;
  return `${which}: rows differ by less than a millionth of their norms, as rounding does; their dimensions mean nothing`;
}
