import { NumericalError } from '../engine/errors.ts';

/**
 * A value as indented JSON with LF at the end. JSON has no NaN and no infinity, and JSON.stringify writes null for them and
 * leaves out what is undefined, without a word. Here a value that is missing must be null, and anything else is an error.
 * @param name of the file or answer, for the error
 * @throws NumericalError naming the first field that is NaN, infinite or undefined
 */
export function jsonText(value: unknown, name: string): string {
  const fault = findFault(value, '');
  if (fault !== undefined)
    throw new NumericalError(
      `${name}: ${fault}, which JSON cannot hold; report this as a defect of Laminar`,
      { subject: { kind: 'file', name } },
    );
  // JSON.stringify writes out the control characters below 0x20 alone; a terminal obeys those from 0x7f on as well.
  const text = JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
  return `${text}\n`;
}

/** Where a value first holds what JSON cannot, and what that is; undefined if it holds nothing of the kind. */
function findFault(value: unknown, path: string): string | undefined {
  if (value === undefined || (typeof value === 'number' && !Number.isFinite(value)))
    return `${path === '' ? 'the value' : path} is ${value}`;
  if (typeof value !== 'object' || value === null) return undefined;
  const inner = (key: string) => (path === '' ? key : `${path}.${key}`);
  const children: Iterable<[string, unknown]> = Array.isArray(value)
    ? value.map((item, index) => [`${path}[${index}]`, item])
    : Object.entries(value).map(([key, item]) => [inner(key), item]);
  for (const [place, child] of children) {
    const fault = findFault(child, place);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
