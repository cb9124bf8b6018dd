/** The maximum length of a line that a person reads; longer lines lose their middle. */
const MAX_LENGTH = 1500;
/** What stays of a line that is cut: its beginning, and its end, which says what to do. */
const [HEAD_LENGTH, TAIL_LENGTH] = [1000, 300];
/** Names in a list that a person reads. */
const MAX_NAMES = 8;

/**
 * Control characters, which move a terminal's cursor, those that reverse the direction of the letters after them, line
 * separators, and halves of characters.
 */
const INVISIBLE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * A text in which characters that a terminal, an SVG or a page would obey or hide are written out, such as \u001b.
 * Names, configurations and servers' answers may hold anything.
 */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
}

/** `visible`, except for the line breaks of a text of several lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** A message as one line of bounded length. Every error and notice passes here. */
export function messageLine(text: string): string {
  return visible(
    bounded(text)
      .split(/[\r\n]+/)
      .map((line) => line.trim())
      .join(' ')
      .trim(),
  );
}

function bounded(text: string): string {
  if (text.length <= MAX_LENGTH) return text;
  const left = text.length - HEAD_LENGTH - TAIL_LENGTH;
  return `${text.slice(0, HEAD_LENGTH)} … (${left} characters are left out) … ${text.slice(-TAIL_LENGTH)}`;
}

/** Words of another machine, for a message: without line breaks, control characters or excess. */
export function foreignLine(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 200);
}

/** Some names of many, and how many more there are: "a, b and 19998 more". */
export function listNames(names: Iterable<string>, max = MAX_NAMES): string {
  const all = [...names];
  const shown = all.length > max + 1 ? all.slice(0, max) : all;
  const rest = all.length - shown.length;
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
