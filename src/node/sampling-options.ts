import type { Command } from 'commander';
import { readBlocks } from '../analysis/profile-sequences.ts';
import type { Sampling } from '../analysis/profile-sequences.ts';
import { wholeNumber } from './options.ts';

/** The flags that choose how many sequences are measured besides the text. */
export interface SamplingFlags {
  readonly shuffles?: number;
  readonly shuffleBlocks?: readonly number[];
  readonly windows?: number;
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option(
      '--shuffles <n>',
      'permutations, with the seeds seed, seed + 1 and so on, for a band of numbers (default: 1)',
      wholeNumber('--shuffles', 1),
    )
    .option(
      '--shuffle-blocks <sizes>',
      'shuffle blocks of so many tokens, too, order kept inside, such as 4,16,64',
      readBlocks,
    )
    .option(
      '--windows <n>',
      'windows spread over the text, the usual one among them, for a band over texts (default: 1)',
      wholeNumber('--windows', 1),
    );
}

/** What the flags ask for; the text and one permutation if there are none. */
export function samplingOf({ shuffles = 1, shuffleBlocks = [], windows = 1 }: SamplingFlags): Sampling {
  return { shuffles, shuffleBlocks, windows };
}
