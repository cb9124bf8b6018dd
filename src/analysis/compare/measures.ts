import { option, wording } from '../../engine/error-words.ts';
import { InputError } from '../../engine/errors.ts';
import { layerMeasureNames, usualMeasures } from '../measures/layer-fields.ts';
import { measureTable } from '../measures/table.ts';
import type { MeasureDefinition } from '../measures/table.ts';
import { nearNames } from '../../engine/near-names.ts';
import { measureNames } from '../dimensions.ts';
import type { SavedRun } from './run.ts';

/** A number of a layer that can be laid over layers. */
export interface ComparedMeasure {
  /** Its column in profile.csv. */
  readonly key: string;
  readonly title: string;
  /** Other words that choose it. */
  readonly aliases: readonly string[];
  /** Whether it is drawn where nothing is chosen, if every run has it. */
  readonly isUsual: boolean;
}

/** Titles of a layer's own fields, in the order of report.json. */
const titles: Readonly<Record<(typeof measureNames)[number], string>> = {
  effective_dimension: 'Effective dimension',
  effective_index: 'Effective index',
  rank: 'Rank',
  rank_tolerance: 'Rank tolerance',
  near_rank_tolerance: 'Singular values near the rank tolerance',
  percent_of_rank: 'Percent of rank',
  components: 'Components',
  top_percent: 'Percent of the variance in component 1',
  participation_ratio: 'Participation ratio',
  entropy_rank: 'Entropy rank',
  stable_rank: 'Stable rank',
  notebook_percent: 'Notebook percent',
};

/** The fields of a layer that are drawn if nothing is chosen. */
const usual: readonly string[] = ['effective_dimension', 'percent_of_rank', 'rank', 'participation_ratio'];

/** Everything that can be compared, in the order of profile.csv. */
export const comparedMeasures: readonly ComparedMeasure[] = [
  ...measureNames.map((key) => ({ key, title: titles[key], aliases: [], isUsual: usual.includes(key) })),
  ...['first', 'median', 'max', 'max_token'].map((norm) => ({
    key: `token_norm_${norm}`,
    title: norm === 'max_token' ? 'Token of the largest norm' : `Norm of tokens, ${norm}`,
    aliases: [],
    isUsual: false,
  })),
  ...layerMeasureNames.flatMap((name) => {
    const { cells, aliases = [] } = measureTable[name] as MeasureDefinition<unknown>;
    // Numbers that only explain others are compared only if they are asked for.
    const isUsual = !usualMeasures.some((usualName) => usualName === name);
    const own = typeof cells === 'function' ? [] : cells;
    return own.map(({ key, title }) => ({
      key,
      title: own.length === 1 ? title : sentence(key),
      aliases: [name, ...aliases],
      isUsual,
    }));
  }),
];

/**
 * The measures to draw: those that are named, by their columns or by the names of measures; else the usual ones, and
 * those that every run was asked for.
 * @param shown whose numbers count
 * @throws InputError if a name is not known, or no run has it
 */
export function chooseMeasures(
  runs: readonly SavedRun[],
  shown: ShownParts,
  named: readonly string[] | undefined,
): ComparedMeasure[] {
  const present = comparedMeasures.filter(({ key }) => runs.some((run) => hasMeasure(run, shown, key)));
  if (named === undefined)
    return present.filter(({ key, isUsual }) => isUsual && runs.every((run) => hasMeasure(run, shown, key)));
  if (named.includes('all')) return present;
  const wanted = named.flatMap((name) => {
    const found = comparedMeasures.filter(({ key }) => key === name);
    const byAlias = comparedMeasures.filter(({ aliases }) => aliases.includes(name));
    const meant = found.length > 0 ? found : byAlias;
    if (meant.length === 0)
      throw new InputError(
        wording`${option('measure')} ${name} is not known; ${nearNames(name, ['all', ...comparedMeasures.map(({ key }) => key)])}`,
        { code: 'name-unknown', subject: { kind: 'option', name: 'measure' } },
      );
    const here = meant.filter((measure) => present.includes(measure));
    if (here.length === 0)
      throw new InputError(
        wording`${option('measure')} ${name}: no run has it; profile with ${option('measures')} to get it. They have ${present.map(({ key }) => key).join(', ')}`,
        { code: 'not-measured', subject: { kind: 'option', name: 'measure' } },
      );
    return here;
  });
  return [...new Set(wanted)];
}

/** Names of the sequences and of the views that are shown. */
export interface ShownParts {
  readonly sequences: readonly string[];
  readonly views: readonly string[];
}

/** Whether a run has a number of a measure in any of these sequences and views. */
export function hasMeasure({ report }: SavedRun, { sequences, views }: ShownParts, key: string): boolean {
  const layers = sequences.flatMap((name) =>
    views.flatMap((view) => report.sequences.get(name)?.views.get(view) ?? []),
  );
  return layers.some(({ numbers }) => typeof numbers[key] === 'number');
}

function sentence(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1).replaceAll('_', ' ');
}
