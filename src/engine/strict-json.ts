/** How deep objects and arrays may be nested; a safetensors header has a depth of three. */
const MAX_DEPTH = 16;

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const WORD = /true|false|null/y;
const WHOLE_NUMBER = /^(?:0|[1-9]\d*)$/;

/** Why a text is not what a header must be; the message ends a sentence that begins with the file's name. */
export class StrictJsonError extends Error {}

/**
 * Parses a JSON object strictly, so that every program reads the same from a file. It must begin with its brace, and no
 * key may occur twice. Only whole numbers that are written as such are numbers; others, such as 8e0 or -0, become NaN.
 * Names that Object has itself, such as __proto__, are keys like any other.
 *
 * @throws StrictJsonError saying what is wrong and where
 */
export function parseStrictObject(text: string): Map<string, unknown> {
  if (text[0] !== '{') throw new StrictJsonError('does not begin with {');
  const parser = new StrictParser(text);
  const value = parser.value(0) as Map<string, unknown>;
  parser.end();
  return value;
}

class StrictParser {
  #at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new StrictJsonError(`nests more than ${MAX_DEPTH} deep`);
    this.#skipSpace();
    switch (this.text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
    }
    const word = this.#match(WORD);
    if (word !== undefined) return word === 'null' ? null : word === 'true';
    const number = this.#match(NUMBER);
    if (number === undefined) this.#fail('a value');
    return WHOLE_NUMBER.test(number) ? Number(number) : NaN;
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.text.length) this.#fail('nothing more');
  }

  #object(depth: number): Map<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#at += 1;
    if (this.#takes('}')) return entries;
    do {
      this.#skipSpace();
      const key = this.#string();
      if (entries.has(key))
        throw new StrictJsonError(`has the key ${JSON.stringify(key.slice(0, 200))} twice`);
      if (!this.#takes(':')) this.#fail("':'");
      entries.set(key, this.value(depth + 1));
    } while (this.#takes(','));
    if (!this.#takes('}')) this.#fail("',' or '}'");
    return entries;
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    if (this.#takes(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.#takes(','));
    if (!this.#takes(']')) this.#fail("',' or ']'");
    return items;
  }

  /** By hand: a pattern's memory grows with the string. */
  #string(): string {
    const { text } = this;
    const start = this.#at;
    if (text[start] !== '"') this.#fail('a string');
    let hasEscape = false;
    let at = start + 1;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
      // Past the end there is no code.
      if (!(code >= 0x20)) {
        this.#at = at;
        this.#fail(`'"'`);
      }
      if (code === BACKSLASH) hasEscape = true;
      at += code === BACKSLASH ? 2 : 1;
    }
    this.#at = at + 1;
    if (!hasEscape) return text.slice(start + 1, at);
    try {
      return JSON.parse(text.slice(start, at + 1)) as string;
    } catch {
      this.#at = start;
      return this.#fail('a string');
    }
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    // Most places have no white space, and a look is cheaper than a match.
    const code = this.text.charCodeAt(this.#at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    WHITE_SPACE.lastIndex = this.#at;
    WHITE_SPACE.test(this.text);
    this.#at = WHITE_SPACE.lastIndex;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(expected: string): never {
    throw new StrictJsonError(`is not valid JSON (${expected} is expected at character ${this.#at})`);
  }
}
