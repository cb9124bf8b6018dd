import { atOnce, inSlices } from '../abort.ts';
import { FormatError, InputError } from '../errors.ts';
import { isJsonObject } from '../files.ts';
import { AddedTokenFinder, giveIds, readAddedToken } from './added-tokens.ts';
import { toByteCharacters } from './byte-level.ts';
import { createDecoder } from './decoders.ts';
import type { Decoder } from './decoders.ts';
import type { TokenizerDescription } from './files.ts';
import { createNormalizer } from './normalizers.ts';
import type { Normalizer } from './normalizers.ts';
import { loadPatternCompiler } from './patterns.ts';
import type { PatternCompiler } from './patterns.ts';
import { createPreTokenizer } from './pre-tokenizers.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import { TokenIds } from './token-ids.ts';
import { createWordModel } from './word-models.ts';
import type { WordModel } from './word-model.ts';
import type { EncodeOptions, Tokenizer } from '../tokenizer.ts';

/** Makes a tokenizer of what its files say. @throws FormatError if that cannot be used. */
export async function createTokenizer({ where, tokenizer }: TokenizerDescription): Promise<Tokenizer> {
  try {
    return new PipelineTokenizer(tokenizer, await loadPatternCompiler(tokenizer), where);
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? 'it nests too deep, or is too large'
        : error instanceof Error
          ? error.message.replace(/\s+/g, ' ')
          : String(error);
    throw FormatError.at(
      where,
      `cannot be used as a tokenizer (${reason}); download the file again, or give token ids instead of a text`,
      { cause: error },
    );
  }
}

/** Words between two looks at the clock. */
const WORDS_AT_ONCE = 256;

/** Added tokens, normalizer, pre-tokenizer and model in turn, as the Rust library runs them. */
class PipelineTokenizer implements Tokenizer {
  readonly #model: WordModel;
  readonly #preTokenizer: PreTokenizer;
  readonly #normalize: Normalizer;
  readonly #decode: Decoder;
  readonly #show: Decoder;
  readonly #tokens: (string | undefined)[] = [];
  /** Finds the tokens that are looked for before the normalizer, and those after it. */
  readonly #before: AddedTokenFinder;
  readonly #after: AddedTokenFinder;

  constructor(
    json: Readonly<Record<string, unknown>>,
    compile: PatternCompiler,
    private readonly where: string,
  ) {
    if (!isJsonObject(json['model'])) throw new FormatError('it has no "model"');
    this.#normalize = createNormalizer(json['normalizer'], compile);
    this.#preTokenizer = createPreTokenizer(json['pre_tokenizer'], compile);
    this.#model = createWordModel(json['model'], this.#preTokenizer.endsInBytes, toByteCharacters);
    this.#decode = createDecoder(json['decoder'], compile);
    this.#show = createDecoder(json['decoder'], compile, true);
    for (const [token, id] of this.#model.vocabulary) this.#tokens[id] = token;
    const added = Array.isArray(json['added_tokens']) ? json['added_tokens'].map(readAddedToken) : [];
    const ids = giveIds(added, this.#model.vocabulary);
    for (const [{ content }, id] of ids) this.#tokens[id] = content;
    // If two are alike, the special token comes first.
    const ordered = [...ids].sort(([a], [b]) => Number(b.isSpecial) - Number(a.isSpecial));
    this.#before = new AddedTokenFinder(ordered.filter(([{ isNormalized }]) => !isNormalized));
    this.#after = new AddedTokenFinder(
      ordered.filter(([{ isNormalized }]) => isNormalized),
      this.#normalize,
    );
  }

  encode(text: string): number[] {
    const ids = new TokenIds();
    atOnce(this.#steps(text, ids));
    return [...ids.slice()];
  }

  async encodeLong(
    text: string,
    { signal, onProgress }: EncodeOptions = {},
  ): Promise<Int32Array<ArrayBuffer>> {
    const ids = new TokenIds();
    await inSlices(this.#steps(text, ids), signal, (done) => {
      onProgress?.(Math.min(done, text.length), text.length);
    });
    onProgress?.(text.length, text.length);
    return ids.slice();
  }

  decode(ids: ArrayLike<number>): string {
    const tokens: string[] = [];
    for (const id of Array.from(ids)) {
      const token = this.#token(id);
      if (token !== undefined) tokens.push(token);
    }
    return this.#guarded(() => this.#decode(tokens).join(''));
  }

  tokenText(id: number): string {
    const token = this.#token(id);
    return token === undefined ? '' : this.#guarded(() => this.#show([token]).join(''));
  }

  #token(id: number): string | undefined {
    if (!Number.isInteger(id) || id < 0)
      throw new InputError(`${id} is not a token id; give whole numbers from 0 on`, {
        code: 'token-invalid',
      });
    return this.#tokens[id];
  }

  /** Calls what tokenizer.json describes. @throws FormatError for what fails within it */
  #guarded<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw FormatError.at(this.where, `the tokenizer fails on this text (${reason}); give token ids`, {
        cause: error,
      });
    }
  }

  /** `#unguarded`, with errors that say which tokenizer failed. */
  *#steps(given: string, ids: TokenIds): Generator<number, void> {
    const steps = this.#unguarded(given, ids);
    for (;;) {
      const { done, value } = this.#guarded(() => steps.next());
      if (done) return;
      yield value;
    }
  }

  /** Adds a text's ids; pauses now and then and says how many characters are done, about. */
  *#unguarded(given: string, ids: TokenIds): Generator<number, void> {
    const text = given.toWellFormed(); // half a pair of surrogates is not a character, and UTF-8 cannot hold it
    let isFirst = true;
    let done = 0;
    let words = 0;
    for (const section of this.#before.split(text)) {
      if (section === undefined) {
        yield done;
        continue;
      }
      if (typeof section === 'number') {
        ids.push(section);
        isFirst = false;
        continue;
      }
      const sectionStart = done;
      for (const part of this.#after.split(this.#normalize(section))) {
        if (part === undefined) {
          yield done;
          continue;
        }
        if (typeof part === 'number') {
          ids.push(part);
          isFirst = false;
          continue;
        }
        for (const word of this.#preTokenizer.cut(part, isFirst)) {
          const rest = this.#model.encode(word, ids);
          done += word.length;
          words += 1;
          if (rest) yield* pauses(rest, done);
          if (words % WORDS_AT_ONCE === 0) yield done;
        }
        isFirst = false;
      }
      done = sectionStart + section.length;
    }
  }
}

function* pauses(work: Iterable<void>, done: number): Generator<number, void> {
  const steps = work[Symbol.iterator]();
  while (!steps.next().done) yield done;
}
