import type { Words } from '../engine/error-words.ts';
import { LaminarError } from '../engine/errors.ts';
import { messageLine } from '../engine/message.ts';

/** Fields whose labels are not the option's name in words. */
const labels: Readonly<Record<string, string>> = { memoryLimit: 'GPU memory', tokens: 'length' };

/** What the page calls an option: the label of its field. */
const fieldWords: Words = (option) =>
  labels[option] ?? option.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/**
 * An error, or a notice, as a sentence of the page: a capital (but names of files and models stay as they are) and a full
 * stop.
 */
export function pageSentence(said: LaminarError | string): string {
  const text = said instanceof LaminarError ? said.inWords(fieldWords) : messageLine(said);
  const begun = text.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
