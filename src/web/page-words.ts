import type { Words } from '../engine/error-words.ts';
import { LaminarError } from '../engine/errors.ts';

/** What the page calls the options of errors: the labels of its fields. */
const fieldWords: Words = {
  memoryLimit: 'GPU memory',
  tokens: 'length',
  start: 'start',
  seed: 'seed',
  threshold: 'threshold',
  text: 'text',
  measures: 'measures',
  views: 'views',
  withoutDimensions: 'left-out dimensions',
};

/**
 * An error, or a notice, as a sentence of the page: a capital (but names of files and models stay as they are) and a full
 * stop.
 */
export function pageSentence(said: LaminarError | string): string {
  const text = said instanceof LaminarError ? said.inWords(fieldWords) : said;
  const begun = text.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
