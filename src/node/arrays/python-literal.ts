/** What a .npy header is written in: a Python tuple, told apart from a list. */
export class PythonTuple {
  constructor(readonly items: readonly PythonValue[]) {}
}

/** Whole numbers may be larger than JavaScript counts exactly. */
export type PythonValue =
  string | bigint | boolean | null | PythonTuple | readonly PythonValue[] | ReadonlyMap<string, PythonValue>;

const MAX_DEPTH = 32;

/**
 * Parses the literals that numpy writes: strings, whole numbers (with Python 2's L), True, False, None, tuples, lists and
 * dicts with strings for keys. https://docs.python.org/3/reference/expressions.html#literals
 * @throws SyntaxError saying what was expected and where, or which key is there twice
 */
export function parsePythonLiteral(text: string): PythonValue {
  const parser = new LiteralParser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

class LiteralParser {
  #at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): PythonValue {
    if (depth > MAX_DEPTH) this.#fail('fewer brackets within brackets');
    if (this.#takes('{')) return this.#dict(depth);
    if (this.#takes('[')) return this.#items(']', depth).items;
    if (this.#takes('(')) {
      const { items, commas } = this.#items(')', depth);
      return items.length === 1 && commas === 0 ? items[0]! : new PythonTuple(items);
    }
    const number = this.#match(/-?(?:0+|[1-9]\d*)(?![\w.])|-?(?:0+|[1-9]\d*)L(?![\w.])/y);
    if (number !== undefined) return BigInt(number.replace('L', ''));
    const word = this.#match(/(?:True|False|None)(?!\w)/y);
    if (word !== undefined) return word === 'None' ? null : word === 'True';
    return this.#string();
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.text.length) this.#fail('nothing more');
  }

  #dict(depth: number): ReadonlyMap<string, PythonValue> {
    const entries = new Map<string, PythonValue>();
    while (!this.#takes('}')) {
      const key = this.#string();
      if (entries.has(key)) throw new SyntaxError(`the key '${key}' is there twice`);
      if (!this.#takes(':')) this.#fail("':'");
      entries.set(key, this.value(depth + 1));
      if (this.#takes(',')) continue;
      if (!this.#takes('}')) this.#fail("',' or '}'");
      break;
    }
    return entries;
  }

  #items(close: string, depth: number): { items: PythonValue[]; commas: number } {
    const items: PythonValue[] = [];
    let commas = 0;
    while (!this.#takes(close)) {
      items.push(this.value(depth + 1));
      if (this.#takes(',')) {
        commas += 1;
        continue;
      }
      if (!this.#takes(close)) this.#fail(`',' or '${close}'`);
      break;
    }
    return { items, commas };
  }

  #string(): string {
    const quoted = this.#match(/[ub]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/y);
    if (quoted === undefined) this.#fail('a value');
    return quoted.replace(/^[ub]/, '').slice(1, -1).replaceAll(/\\(.)/g, '$1');
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (/[ \t\r\n\f]/.test(this.text[this.#at] ?? '')) this.#at += 1;
  }

  #fail(expected: string): never {
    throw new SyntaxError(`${expected} is expected at character ${this.#at}`);
  }
}
