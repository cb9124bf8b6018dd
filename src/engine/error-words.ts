/** What a face calls an option, given the library's name for it: a flag, a field's label, or that name. */
export type Words = (option: string) => string;

/** The library's own: its names. */
export const libraryWords: Words = (option) => option;

/** What the user can do, as data: give something else (as an option's value, or not), raise or lower an option, or do something else. */
export type Remedy =
  | { readonly kind: 'give'; readonly option?: string; readonly value: string }
  | { readonly kind: 'raise' | 'lower'; readonly option: string }
  | { readonly kind: 'do'; readonly what: string };

/** Says what to do, in one clause: `raise memoryLimit, or take fewer tokens`. */
export function remedyWords(remedies: readonly Remedy[], words: Words): string {
  let last = '';
  const clauses = remedies.map((remedy) => {
    if (remedy.kind === 'do') return remedy.what;
    const verb = remedy.kind === last ? '' : `${remedy.kind} `;
    last = remedy.kind;
    const name = remedy.option === undefined ? '' : `${words(remedy.option)} `;
    return `${verb}${name}${remedy.kind === 'give' ? remedy.value : ''}`.trimEnd();
  });
  return clauses.join(', or ');
}

/** An option's name within a `wording`. */
export interface NamedOption {
  readonly option: string;
}

/** A text that names options: each face puts its own words there. Made by `wording`. */
export class Wording {
  constructor(private readonly parts: readonly (string | NamedOption | Wording)[]) {}

  inWords(words: Words): string {
    return this.parts
      .map((part) =>
        typeof part === 'string' ? part : part instanceof Wording ? part.inWords(words) : words(part.option),
      )
      .join('');
  }
}

/** An option, by the library's name for it in camel case; the command's flag is made of that name. */
export function option(name: string): NamedOption {
  return { option: name };
}

/**
 * wording`${option('tokens')} ${length} is not a number of tokens`: a text that every face words for itself. Wordings may stand
 * within it.
 */
export function wording(
  texts: TemplateStringsArray,
  ...values: readonly (string | number | NamedOption | Wording)[]
): Wording {
  return new Wording(
    texts.flatMap((text, place) => {
      const value = values[place];
      return [text, typeof value === 'object' ? value : String(value ?? '')];
    }),
  );
}
