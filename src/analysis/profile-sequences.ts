import { option, wording } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';
import { shuffleBlocks, shuffleTokens } from './shuffle.ts';
import type { GivenTokens } from './token-ids.ts';

/** How a sequence was made: the text, its tokens shuffled one by one or in blocks, or another part of the text. */
export type SequenceKind = 'real' | 'shuffled' | 'block' | 'window';

/** How one sequence of a profile differs from the others. */
export interface SequenceOrigin {
  readonly kind: SequenceKind;
  /** The seed of the permutation; null if none was made here. */
  readonly seed: number | null;
  /** Tokens of a block that keeps its order: 1 where single tokens were shuffled, null if none were. */
  readonly block: number | null;
  /** The window's first token in the text; null if ids were given. */
  readonly start: number | null;
}

/** A sequence to run. */
export interface ProfileSequence extends SequenceOrigin {
  /** Its key in report.json. */
  readonly name: string;
  /** [T] */
  readonly ids: Int32Array<ArrayBuffer>;
}

/** How many sequences are measured besides the text, so that its numbers can be compared with a band of numbers. */
export interface Sampling {
  /** Permutations of the tokens, with the seeds seed, seed + 1, … */
  readonly shuffles: number;
  /** Sizes of blocks to shuffle, in tokens; as many permutations of each, with the same seeds. */
  readonly shuffleBlocks: readonly number[];
  /** Windows of the text, the usual one among them. */
  readonly windows: number;
}

/** The text and one permutation of it. */
export const usualSampling: Sampling = { shuffles: 1, shuffleBlocks: [], windows: 1 };

export function isUsual({ shuffles, shuffleBlocks: blocks, windows }: Sampling): boolean {
  return shuffles === 1 && blocks.length === 0 && windows === 1;
}

/** Sequences that differ by chance alone, or by the part of the text alone: a band is made of them. */
export interface SequenceGroup {
  /** Its key in report.json: `shuffled`, `block_16`, `window`. */
  readonly name: string;
  readonly kind: Exclude<SequenceKind, 'real'>;
  readonly block: number | null;
  /** Names of its sequences. */
  readonly sequences: readonly string[];
}

/**
 * The sequences of a profile, the text and its first permutation first: `real`, `shuffled`, `shuffled_2` …, for each size of
 * block `block_16_1`, `block_16_2` …, and `window_2` ….
 *
 * Permutation number k has the seed `seed` + k − 1. Blocks of one token give `shuffled`, and blocks as long as the text
 * change nothing. Neither is run again.
 * @param tokens the text's window, a permutation where one is given, and the other windows
 * @throws InputError if a seed is not a whole number from 0 to 2⁵³ − 1, or where windows are missing
 */
export function profileSequencesOf(
  tokens: GivenTokens,
  seed: number,
  start: number | null,
  { shuffles, shuffleBlocks: blocks, windows }: Sampling = usualSampling,
): [real: ProfileSequence, shuffled: ProfileSequence, ...others: ProfileSequence[]] {
  const { real, shuffled, windows: others = [] } = tokens;
  if (others.length !== windows - 1)
    throw new InputError(
      wording`${option('windows')} ${windows} takes other parts of a text, and ${option('ids')} gives the tokens themselves; leave one of them out`,
      { code: 'options-contradict', subject: { kind: 'option', name: 'windows' } },
    );
  if (seed > Number.MAX_SAFE_INTEGER - (shuffles - 1))
    throw new InputError(
      wording`${option('shuffles')} ${shuffles} takes the seeds from ${seed} on, which end at ${Number.MAX_SAFE_INTEGER}`,
      {
        code: 'option-out-of-range',
        subject: { kind: 'option', name: 'shuffles' },
        remedies: [{ kind: 'lower', option: 'seed' }],
      },
    );
  const permutations = Array.from({ length: shuffles }, (_, index): ProfileSequence => ({
    name: index === 0 ? 'shuffled' : `shuffled_${index + 1}`,
    kind: 'shuffled',
    seed: index === 0 && shuffled ? null : seed + index,
    block: 1,
    start,
    ids: (index === 0 ? shuffled : undefined) ?? shuffleTokens(real, seed + index),
  }));
  const ofBlocks = blocksToRun(blocks, real.length).flatMap((block) =>
    Array.from({ length: shuffles }, (_, index): ProfileSequence => ({
      name: `block_${block}_${index + 1}`,
      kind: 'block',
      seed: seed + index,
      block,
      start,
      ids: shuffleBlocks(real, block, seed + index),
    })),
  );
  return [
    { name: 'real', kind: 'real', seed: null, block: null, start, ids: real },
    permutations[0]!,
    ...permutations.slice(1),
    ...ofBlocks,
    ...others.map((window, index): ProfileSequence => ({
      name: `window_${index + 2}`,
      kind: 'window',
      seed: null,
      block: null,
      start: window.start,
      ids: window.ids,
    })),
  ];
}

/** How many sequences a profile runs, before any is made. @param tokens T */
export function countSequences(
  { shuffles, shuffleBlocks: blocks, windows }: Sampling,
  tokens: number,
): number {
  return 1 + shuffles * (1 + blocksToRun(blocks, tokens).length) + windows - 1;
}

function blocksToRun(blocks: readonly number[], tokens: number): number[] {
  return blocks.filter((block) => block > 1 && block < tokens);
}

/** The groups that bands are made of, in the order of the sequences; blocks ascend. */
export function sequenceGroups(
  sequences: readonly (SequenceOrigin & { readonly name: string })[],
  { shuffleBlocks: blocks, windows }: Sampling,
  tokens: number,
): SequenceGroup[] {
  const named = (kind: SequenceKind, block: number | null) =>
    sequences.filter((it) => it.kind === kind && it.block === block).map(({ name }) => name);
  const shuffled = named('shuffled', 1);
  return [
    { name: 'shuffled', kind: 'shuffled', block: 1, sequences: shuffled },
    ...blocks.map((block): SequenceGroup => ({
      name: `block_${block}`,
      kind: 'block',
      block,
      sequences: block === 1 ? shuffled : block >= tokens ? ['real'] : named('block', block),
    })),
    ...(windows > 1
      ? [
          {
            name: 'window',
            kind: 'window',
            block: null,
            sequences: ['real', ...named('window', null)],
          } as const,
        ]
      : []),
  ];
}

/**
 * Finds groups in which sequences are the same: few tokens or blocks have few orders.
 * @returns a sentence for each such group
 */
export function repetitions(
  sequences: readonly ProfileSequence[],
  groups: readonly SequenceGroup[],
): string[] {
  const textOf = new Map(sequences.map(({ name, ids }) => [name, ids.join()]));
  return groups.flatMap(({ name, kind, sequences: members }) => {
    const [only] = members;
    if (kind === 'window' || only === 'real') return [];
    // One token has one order, which needs no words.
    if (members.length === 1)
      return textOf.get(only!) === textOf.get('real') && sequences[0]!.ids.length > 1
        ? [`${name}: the permutation leaves the text as it is, so both have the same numbers`]
        : [];
    const different = new Set(members.map((member) => textOf.get(member))).size;
    const asText = members.filter((member) => textOf.get(member) === textOf.get('real')).length;
    if (different === members.length && asText === 0) return [];
    return [
      `${name}: of ${members.length} permutations ${different} ${different === 1 ? 'is' : 'are'} different, and ` +
        `${asText} ${asText === 1 ? 'leaves' : 'leave'} the text as it is; its band says little`,
    ];
  });
}

/**
 * Reads what --shuffle-blocks lists: sizes of blocks in tokens.
 * @returns ascending, each once
 * @throws InputError if they are not whole numbers of at least 1
 */
export function readBlocks(text: string): number[] {
  const blocks = text.split(',').map((word) => {
    const size = Number(word);
    if (!/^\s*\d{1,9}\s*$/.test(word) || size < 1)
      throw new InputError(
        wording`${option('shuffleBlocks')} ${JSON.stringify(word.trim())} is not a size of blocks; give whole numbers of at least 1, such as 1,4,16,64`,
        { code: 'option-out-of-range', subject: { kind: 'option', name: 'shuffleBlocks' } },
      );
    return size;
  });
  return [...new Set(blocks)].sort((a, b) => a - b);
}
