import { option, wording } from '../../engine/error-words.ts';
import { InputError } from '../../engine/errors.ts';
import { nearNames } from '../../engine/near-names.ts';
import { allComparisons, isComparison } from './comparisons.ts';
import type { ComparisonName } from './comparisons.ts';
import { allMeasures, measureTable } from './table.ts';
import type { MeasureName } from './table.ts';

/**
 * Reads a list of measures: names of the table, of what they hold, or `all`.
 * @param others names that the user might have meant, too
 * @throws InputError naming what is not known, and what may have been meant
 */
export function readMeasures(text: string, others: readonly string[] = []): MeasureName[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('all') && words.length === 1) return [...allMeasures];
  const wanted = words.map((word) => {
    const found = allMeasures.find(
      (name) => name === word || measureTable[name].aliases?.includes(word) === true,
    );
    if (found) return found;
    const aliases = allMeasures.flatMap((name) => measureTable[name].aliases ?? []);
    const known = ['all', ...allMeasures, ...aliases, ...others];
    throw new InputError(
      wording`${option('measures')} ${JSON.stringify(word)} is not known; ${nearNames(word, known)}`,
      { code: 'name-unknown', subject: { kind: 'option', name: 'measures' } },
    );
  });
  return allMeasures.filter((name) => wanted.includes(name));
}

/**
 * Reads the measures of a profile: those of one matrix as `readMeasures` does, and `cka` and `angles`, which compare two
 * matrices. `all` does not include these two.
 * @throws InputError naming what is not known, and what may have been meant
 */
export function readMeasuresAndComparisons(text: string): (MeasureName | ComparisonName)[] {
  const words = text.split(',').map((word) => word.trim());
  const comparisons = allComparisons.filter((name) => words.includes(name));
  const others = words.filter((word) => !isComparison(word));
  return [...(others.length > 0 ? readMeasures(others.join(), allComparisons) : []), ...comparisons];
}
