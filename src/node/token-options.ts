import type { Command } from 'commander';
import { collected, nonEmpty, wholeNumber } from './options.ts';

/** The flags that choose what is run; `capture` has them too. */
export function addTokenOptions(command: Command, takes: 'one text' | 'several texts' = 'one text'): Command {
  const isOne = takes === 'one text';
  return command
    .option(
      '--text <file>',
      `a file, a URL or - for standard input${isOne ? '' : '; several, given one by one'} (default: the bundled Alice's Adventures in Wonderland)`,
      (text: string, before?: unknown): unknown =>
        isOne
          ? nonEmpty('--text')(text)
          : collected(nonEmpty('--text'))(text, before as string[] | undefined),
    )
    .option(
      '--ids <file>',
      'token ids instead of a text: an array, an encoding {"input_ids": [...]}, or {"real": [...], "shuffled": [...]}',
      nonEmpty('--ids'),
    )
    .option('--tokens <n>', "number of tokens (default: the model's context)", wholeNumber('--tokens', 1))
    .option(
      '--start <n>',
      'the first token of the window (default: the middle of the text)',
      wholeNumber('--start', 0),
    );
}
