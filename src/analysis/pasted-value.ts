/** How deep brackets of a pasted value may be nested. */
const MAX_DEPTH = 32;
/** Characters of a text that a message shows. */
const SHOWN = 24;

/** Why a text is not a value; the message says what stands there. */
export class PasteError extends Error {}

/**
 * Reads a value as JSON, Python, numpy, PyTorch, TensorFlow, JAX or Node print it: lists and tuples, dicts, numbers,
 * strings, and calls such as tensor([…], device='cuda:0'), which stand for their first argument. Commas may be missing, and
 * a name and `=` or `:` may come first.
 * @throws PasteError if it is none of these, or if what printed it left numbers out
 */
export function parsePastedValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return new PastedText(text).whole();
  }
}

class PastedText {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    // TensorFlow: <tf.Tensor: shape=(3,), dtype=int32, numpy=array([464, 11, 262], dtype=int32)>
    const tensor = /^<tf\.Tensor\b[^]{0,200}?\bnumpy=([^]*)>$/.exec(text)?.[1];
    this.#text = tensor ?? text;
  }

  whole(): unknown {
    this.#match(/[A-Za-z_]\w*\s*[=:](?!=)/y);
    const value = this.#value(0);
    this.#skipSpace();
    // One list per line, as in .jsonl, is a batch.
    const more = Array.isArray(value) ? this.#rest() : [];
    if (this.#at < this.#text.length) this.#fail();
    return more.length > 0 ? [value, ...more] : value;
  }

  #rest(): unknown[] {
    const values: unknown[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] === '[') {
      values.push(this.#value(0));
      this.#skipSpace();
    }
    return values;
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH) this.#fail();
    if (this.#takes('[')) return this.#items(']', depth);
    if (this.#takes('(')) return this.#items(')', depth);
    if (this.#takes('{')) return this.#pairs(depth);
    const number = this.#match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?n?(?![\w.])/iy);
    if (number !== undefined) return Number(number.replace('n', ''));
    const string = this.#match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/y);
    if (string !== undefined) return string.slice(1, -1);
    this.#skipSpace();
    const start = this.#at;
    const word = this.#match(/[A-Za-z_][\w.]*/y);
    if (word === undefined) this.#fail();
    if (this.#takes('(')) return this.#call(depth);
    if (/^(nan|inf|infinity)$/i.test(word)) return NaN;
    if (/^(true|false)$/i.test(word)) return word.toLowerCase() === 'true';
    if (/^(null|none)$/i.test(word)) return null;
    this.#at = start;
    return this.#fail();
  }

  /** What stands between brackets, separated by commas or space. */
  #items(close: string, depth: number): unknown[] {
    const items: unknown[] = [];
    while (!this.#takes(close)) {
      items.push(this.#value(depth + 1));
      this.#takes(',');
    }
    return items;
  }

  #pairs(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    while (!this.#takes('}')) {
      const key = this.#match(/'[^'\\]*'|"[^"\\]*"|\w+/y);
      if (key === undefined || !this.#takes(':')) this.#fail();
      entries.push([key.replace(/^['"]|['"]$/g, ''), this.#value(depth + 1)]);
      this.#takes(',');
    }
    return Object.fromEntries(entries);
  }

  /** The first argument of a call; of Node's Int32Array(3) [ 464, 11, 262 ] the list. */
  #call(depth: number): unknown {
    let first: unknown;
    let isFirst = true;
    while (!this.#takes(')')) {
      const isNamed = this.#match(/[A-Za-z_]\w*\s*=/y) !== undefined;
      // Names of types and devices: torch.int32, <i8.
      const value =
        isNamed && this.#match(/[A-Za-z_][\w.]*(?=\s*[,)])/y) !== undefined ? null : this.#value(depth + 1);
      if (isFirst && !isNamed) {
        first = value;
        isFirst = false;
      }
      this.#takes(',');
    }
    if (typeof first === 'number' && this.#takes('[')) return this.#items(']', depth);
    return first;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    const space = /\s*/y;
    space.lastIndex = this.#at;
    space.test(this.#text);
    this.#at = space.lastIndex;
  }

  #fail(): never {
    this.#skipSpace();
    const rest = this.#text.slice(this.#at, this.#at + SHOWN);
    if (/^(\.\.\.|…)/.test(rest)) {
      throw new PasteError(
        'numbers were left out where it says "...": print all of them, in Python with ids.tolist(), in Node with JSON.stringify',
      );
    }
    if (this.#at >= this.#text.length) throw new PasteError('it ends early; give all of it');
    throw new PasteError(`${JSON.stringify(rest)} stands where a number or a list is expected`);
  }
}
