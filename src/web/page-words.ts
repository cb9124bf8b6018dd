/** What the command calls by a flag, the page has a field for. */
const fields: readonly (readonly [flag: RegExp, field: string])[] = [
  [/ \(--text FILE\)/g, ''],
  [/--tokens\b/g, 'length'],
  [/--start\b/g, 'start'],
  [/--seed\b/g, 'seed'],
  [/--threshold\b/g, 'threshold'],
  [/--gpu-memory\b/g, 'GPU memory'],
];

/**
 * An error's message as a sentence of the page: the form's fields in place of flags, a capital (but names of files and
 * models stay as they are) and a full stop.
 */
export function pageSentence(message: string): string {
  const text = fields.reduce((words, [flag, field]) => words.replace(flag, field), message);
  const begun = text.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
