/** Options that errors speak of, by the library's names. */
export const optionNames = [
  'memoryLimit',
  'tokens',
  'start',
  'seed',
  'threshold',
  'text',
  'measures',
  'views',
  'withoutDimensions',
] as const;
export type OptionName = (typeof optionNames)[number];

/** What a face calls each option: the command its flag, the page its field, the library the option itself. */
export type Words = Readonly<Record<OptionName, string>>;

export const libraryWords = Object.fromEntries(optionNames.map((name) => [name, name])) as Words;

/** What the user can do, as data: give something else (as an option's value, or not), raise or lower one, or another thing. */
export type Remedy =
  | { readonly kind: 'give'; readonly option?: OptionName; readonly value: string }
  | { readonly kind: 'raise' | 'lower'; readonly option: OptionName }
  | { readonly kind: 'do'; readonly what: string };

/** Says what to do, in one clause: `raise memoryLimit, or take fewer tokens`. */
export function remedyWords(remedies: readonly Remedy[], words: Words): string {
  let last = '';
  const clauses = remedies.map((remedy) => {
    if (remedy.kind === 'do') return remedy.what;
    const verb = remedy.kind === last ? '' : `${remedy.kind} `;
    last = remedy.kind;
    const name = remedy.option === undefined ? '' : `${words[remedy.option]} `;
    return `${verb}${name}${remedy.kind === 'give' ? remedy.value : ''}`.trimEnd();
  });
  return clauses.join(', or ');
}

/** A text that names options: each face puts its own words there. Made by `wording`. */
export class Wording {
  constructor(private readonly parts: readonly (string | { readonly option: OptionName })[]) {}

  inWords(words: Words): string {
    return this.parts.map((part) => (typeof part === 'string' ? part : words[part.option])).join('');
  }
}

/** An option's name within a `wording`. */
export function option(name: OptionName): { readonly option: OptionName } {
  return { option: name };
}

/** wording`${option('tokens')} ${length} is not a number of tokens`: a text that every face words for itself. */
export function wording(
  texts: TemplateStringsArray,
  ...values: readonly (string | number | { readonly option: OptionName })[]
): Wording {
  return new Wording(
    texts.flatMap((text, place) => {
      const value = values[place];
      return [text, typeof value === 'object' ? value : String(value ?? '')];
    }),
  );
}
