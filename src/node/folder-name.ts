import { join } from 'node:path';
import { isComparison } from '../analysis/measures/comparisons.ts';
import { allMeasures } from '../analysis/measures/table.ts';
import { profileDefaults } from '../analysis/report.ts';
import type { SamplingFlags } from './sampling-options.ts';
import type { TokenFlags } from './token-source.ts';
import type { ViewFlags } from './view-options.ts';

/** The flags that choose what a run computes, besides its model. */
export interface RunFlags extends TokenFlags, ViewFlags, SamplingFlags {
  readonly seed: number;
  readonly threshold: number;
  readonly revision?: string;
  /** Names of activations that are measured, too. */
  readonly at?: readonly string[];
}

/** The flags of `profile`. */
export interface ProfileFlags extends RunFlags {
  readonly out?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly wide?: boolean;
  readonly plan?: boolean;
  /** Whose spectrum is drawn. */
  readonly layer?: number;
  readonly showText?: boolean;
}

/** A flag that changes a run's files: its word in the folder's name, and its value there; undefined for the default. */
interface NamingRule {
  readonly word: string;
  value(flags: ProfileFlags): string | number | undefined;
}

/** A flag that changes no file, and why. */
interface SilentRule {
  readonly silent: string;
}

/** The revision of a model of the hub if none is asked for. */
export const USUAL_REVISION = 'main';
/** The maximum length of each part of a folder's name; file systems take 255 bytes in all. */
const LONGEST_PART = 40;

/** Every flag of `profile`, and what it adds to the name of the run's folder; in the order of the name. */
export const folderRules: { readonly [Flag in keyof Required<ProfileFlags>]: NamingRule | SilentRule } = {
  revision: {
    word: 'revision',
    value: ({ revision }) => (revision === USUAL_REVISION ? undefined : revision),
  },
  text: { word: 'text', value: ({ text }) => text && baseName(text) },
  ids: { word: 'ids', value: ({ ids }) => ids && baseName(ids) },
  start: { word: 'start', value: ({ start }) => start },
  tokens: { word: 'tokens', value: ({ tokens }) => tokens },
  seed: { word: 'seed', value: ({ seed }) => (seed === profileDefaults.seed ? undefined : seed) },
  threshold: {
    word: 'threshold',
    value: ({ threshold }) => (threshold === profileDefaults.threshold ? undefined : threshold),
  },
  shuffles: { word: 'shuffles', value: ({ shuffles }) => (shuffles === 1 ? undefined : shuffles) },
  shuffleBlocks: {
    word: 'blocks',
    value: ({ shuffleBlocks = [] }) => (shuffleBlocks.length === 0 ? undefined : shuffleBlocks.join('-')),
  },
  windows: { word: 'windows', value: ({ windows }) => (windows === 1 ? undefined : windows) },
  measures: {
    word: 'measures',
    value: ({ measures }) => measures && measureWords(measures),
  },
  views: { word: 'views', value: ({ views }) => views?.join('-') },
  withoutDimensions: { word: 'without', value: ({ withoutDimensions }) => withoutDimensions?.join('-') },
  at: { word: 'at', value: ({ at }) => at?.join('-') },
  layer: { word: 'layer', value: ({ layer }) => layer },
  out: { silent: 'it names the folder itself' },
  force: { silent: 'it says what becomes of the run before' },
  json: { silent: 'it changes what is printed' },
  wide: { silent: 'it changes what is printed' },
  showText: { silent: 'it changes what is printed' },
  plan: { silent: 'nothing runs' },
};

/** `all` and the names besides it, or the names. */
function measureWords(measures: readonly string[]): string {
  const hasAll = allMeasures.every((name) => measures.includes(name));
  return hasAll ? ['all', ...measures.filter(isComparison)].join('-') : measures.join('-');
}

/**
 * The folder of a run that names none: out/MODEL, and what differs from the defaults, such as
 * out/alice-gpt2-text-rabbit-tokens-64-seed-29.
 */
export function defaultFolder(modelId: string, flags: ProfileFlags): string {
  const parts = Object.values(folderRules).flatMap((rule) =>
    'silent' in rule ? [] : [[rule.word, rule.value(flags)] as const],
  );
  return folderNamed(modelId, parts);
}

/** out/MODEL, and each part that has a value. */
export function folderNamed(
  modelId: string,
  parts: readonly (readonly [name: string, value: string | number | undefined])[],
): string {
  const suffix = parts
    .map(([name, value]) => (value === undefined ? '' : `-${name}-${plain(value)}`))
    .join('');
  return join('out', `${modelId}${suffix}`);
}

/** A file's or an address's last part, without its ending. */
export function baseName(path: string): string {
  const name =
    path
      .replace(/[?#].*$/, '')
      .split(/[\\/]+/)
      .filter(Boolean)
      .at(-1) ?? '';
  return name.replace(/(.)\.[^.]*$/, '$1');
}

/** A value as a part of a folder's name: letters, digits, dots and dashes. */
function plain(value: string | number): string {
  const text = String(value)
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return Array.from(text).slice(0, LONGEST_PART).join('') || 'other';
}
