import { Option } from 'commander';
import type { Command } from 'commander';
import { allComparisons, isComparison } from '../analysis/measures/comparisons.ts';
import type { ComparisonName } from '../analysis/measures/comparisons.ts';
import type { ViewRequest } from '../analysis/measures/measure-views.ts';
import { readMeasures, readMeasuresAndComparisons } from '../analysis/measures/read-measures.ts';
import { allMeasures } from '../analysis/measures/table.ts';
import type { MeasureName } from '../analysis/measures/table.ts';
import { readDimensions, readViews, viewFlags, viewNames } from '../analysis/views.ts';
import type { ViewName } from '../analysis/views.ts';
import { withWords } from './completion/declarations.ts';

/** The flags that choose measures, and what they are taken of. */
export interface ViewFlags {
  readonly measures?: (MeasureName | ComparisonName)[];
  readonly views?: ViewName[];
  readonly withoutDimensions?: number[];
}

/** Adds the flags that choose measures and views. @param isProfile its states can be compared, too */
export function addViewOptions(command: Command, isProfile = false): Command {
  const others = isProfile
    ? `; and also ${allComparisons.join(', ')}, with the layer before and with the text`
    : '';
  return command
    .addOption(
      withWords(
        new Option(
          '--measures <names>',
          `measures of each view, or all, such as rankme,twonn; known are ${allMeasures.join(', ')}${others} (default with --views: all)`,
        ).argParser(isProfile ? readMeasuresAndComparisons : readMeasures),
        ['all', ...allMeasures, ...(isProfile ? allComparisons : [])],
      ),
    )
    .addOption(
      withWords(
        new Option(
          '--views <names>',
          `views of a matrix to measure, from ${Object.keys(viewFlags).join(', ')} (default with --measures: all)`,
        ).argParser(readViews),
        Object.keys(viewFlags),
      ),
    )
    .option(
      '--without-dimensions <list>',
      'measure the matrix without these columns, too, such as 5,17, counted from 0',
      readDimensions,
    );
}

/** What the flags ask for; undefined if there are none of them. */
export function viewRequest({ measures, views, withoutDimensions }: ViewFlags): ViewRequest | undefined {
  if (!measures && !views && !withoutDimensions) return undefined;
  const comparisons = (measures ?? []).filter(isComparison);
  const wanted: ViewName[] = [
    ...(views ?? ['all']),
    ...(withoutDimensions ? ['without_dimensions' as const] : []),
  ];
  return {
    views: viewNames.filter((name) => wanted.includes(name)),
    measures: allMeasures.filter((name) => !measures || measures.includes(name)),
    ...(comparisons.length > 0 && { comparisons }),
    listedDimensions: withoutDimensions ?? [],
  };
}
