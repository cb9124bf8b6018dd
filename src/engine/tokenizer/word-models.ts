import { Unigram } from '@huggingface/tokenizers';
import { FormatError } from '../errors.ts';
import { Bpe } from './bpe.ts';
import { byteTokens } from './byte-level.ts';
import { readVocabulary } from './json.ts';
import type { TokenIds } from './token-ids.ts';
import type { WordModel } from './word-model.ts';

/**
 * The model of tokenizer.json, by its type; older files have no type and are recognised by what they hold.
 * @param readsBytes whether words are to be mapped to the characters of their bytes first
 * @throws FormatError if it is of an unknown kind or broken
 */
export function createWordModel(
  model: Readonly<Record<string, unknown>>,
  readsBytes: boolean,
  map: (word: string) => string,
): WordModel {
  const kind = model['type'] ?? guessKind(model);
  if (kind === 'BPE') return new Bpe(model, readsBytes);
  const mapped = readsBytes ? map : (word: string) => word;
  switch (kind) {
    case 'WordPiece':
      return wordPiece(model, mapped);
    case 'WordLevel':
      return wordLevel(model, mapped);
    case 'Unigram':
      return unigram(model, mapped);
    default:
      throw new FormatError(`its model ${JSON.stringify(kind)} is not known`);
  }
}

function guessKind(model: Readonly<Record<string, unknown>>): string | undefined {
  if (Array.isArray(model['vocab'])) return 'Unigram';
  if (model['merges'] !== undefined) return 'BPE';
  return model['vocab'] === undefined
    ? undefined
    : 'continuing_subword_prefix' in model
      ? 'WordPiece'
      : 'WordLevel';
}

/** The id of the unknown token, which the Rust library needs only when it meets one. */
function unknownId(
  model: Readonly<Record<string, unknown>>,
  vocabulary: ReadonlyMap<string, number>,
): (word: string) => number {
  const name = model['unk_token'];
  const id = typeof name === 'string' ? vocabulary.get(name) : undefined;
  return (word) => {
    if (id !== undefined) return id;
    throw new FormatError(
      `its vocabulary lacks ${JSON.stringify(word.slice(0, 40))} and the unknown token ${JSON.stringify(name)}`,
    );
  };
}

/** A token for each word (chemistry's and music's models). */
function wordLevel(model: Readonly<Record<string, unknown>>, map: (word: string) => string): WordModel {
  const vocabulary = readVocabulary(model['vocab']);
  const unknown = unknownId(model, vocabulary);
  return {
    vocabulary,
    encode(word: string, ids: TokenIds) {
      ids.push(vocabulary.get(map(word)) ?? unknown(word));
      return undefined;
    },
  };
}

/** The longest token first (Wu et al. 2016); a word with a rest that is not a token is unknown as a whole. */
function wordPiece(model: Readonly<Record<string, unknown>>, map: (word: string) => string): WordModel {
  const vocabulary = readVocabulary(model['vocab']);
  const unknown = unknownId(model, vocabulary);
  const prefix = String(model['continuing_subword_prefix'] ?? '##');
  const longest = Number(model['max_input_chars_per_word'] ?? 100);
  return {
    vocabulary,
    encode(word: string, ids: TokenIds) {
      const characters = Array.from(map(word));
      const found: number[] = [];
      for (let start = 0; characters.length <= longest && start < characters.length;) {
        let stop = characters.length;
        let id: number | undefined;
        for (; stop > start && id === undefined; stop -= 1)
          id = vocabulary.get((start > 0 ? prefix : '') + characters.slice(start, stop).join(''));
        if (id === undefined) break;
        found.push(id);
        start = stop + 1;
        if (start === characters.length) {
          found.forEach((one) => {
            ids.push(one);
          });
          return undefined;
        }
      }
      if (characters.length > 0) ids.push(unknown(word));
      return undefined;
    },
  };
}

/** SentencePiece's unigram model (Kudo 2018), as the JavaScript library computes it. */
function unigram(model: Readonly<Record<string, unknown>>, map: (word: string) => string): WordModel {
  const pieces = model['vocab'];
  if (!Array.isArray(pieces)) throw new FormatError('its Unigram model has no list "vocab"');
  const description: unknown = { ...model, fuse_unk: true };
  const inner = new Unigram(description as ConstructorParameters<typeof Unigram>[0], '');
  const vocabulary = new Map((pieces as [string, number][]).map(([piece], id) => [piece, id]));
  const unknown = Number(model['unk_id'] ?? 0);
  const hasByteFallback = model['byte_fallback'] === true;
  return {
    vocabulary,
    encode(word: string, ids: TokenIds) {
      for (const token of inner([map(word)]) as string[]) {
        const id = vocabulary.get(token);
        const bytes = id === undefined && hasByteFallback ? byteTokens(token, vocabulary) : undefined;
        for (const one of bytes ?? [id ?? unknown]) ids.push(one);
      }
      return undefined;
    },
  };
}
