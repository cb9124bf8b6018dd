import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { readFixture } from '#platform';
import { decodeText } from '../../src/analysis/decode-text.ts';
import { readTokenIds } from '../../src/analysis/token-ids.ts';
import { describeModel } from '../../src/engine/description.ts';
import { LaminarError } from '../../src/engine/errors.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import { findArrays } from '../../src/node/arrays/arrays.ts';
import { memorySource } from '../support/fixture-files.ts';
import { isWhole, tell } from './extent.ts';

/** Of each kind of file, so many are changed and read. */
const RUNS = isWhole ? 1000 : 40;
const SEED = 28;
const FOLDER = 'test/golden/gpt2-one-token';
const encoder = new TextEncoder();

/** Words that a reader might trust. */
const words = [
  ...['1000000000', '-1', '1e9', '8e0', '-0', '0.5', '9007199254740993', 'null', '""', '[]', '{}', 'true'],
  ...[
    'NaN',
    '\\ud800',
    '\u001b[2J',
    '"__proto__"',
    '"constructor"',
    '[[[[',
    ',',
    '\0',
    '../',
    '"F64"',
    '"x"',
  ],
];

type Change = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One to three changes: a byte, a number or a word in another's place, a piece left out, repeated or cut off. */
const changes: fc.Arbitrary<Change> = fc
  .array(
    fc.record({
      // Most of a file's meaning stands at its beginning.
      at: fc.double({ min: 0, max: 1, noNaN: true }).map((part) => part ** 3),
      kind: fc.constantFrom('flip', 'word', 'number', 'remove', 'repeat', 'cut', 'swap'),
      word: fc.constantFrom(...words),
      value: fc.nat(255),
      length: fc.nat(64),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map(
    (steps) => (original) =>
      steps.reduce((bytes, { at, kind, word, value, length }) => {
        const place = Math.floor(at * bytes.length);
        const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
        const piece = after.subarray(0, length);
        if (kind === 'flip') return joined(before, Uint8Array.of((after[0] ?? 0) ^ value), after.subarray(1));
        if (kind === 'cut') return joined(before);
        if (kind === 'remove') return joined(before, after.subarray(length));
        if (kind === 'repeat') return joined(before, piece, after);
        if (kind === 'swap') return joined(before, encoder.encode(word), after.subarray(word.length));
        if (kind === 'word') return joined(before, encoder.encode(word), after);
        // The next number in the text, whatever it counts.
        const text = new TextDecoder('latin1').decode(after.subarray(0, 4096));
        const found = /\d+/.exec(text);
        if (!found) return joined(bytes);
        const end = found.index + found[0].length;
        return joined(before, after.subarray(0, found.index), encoder.encode(word), after.subarray(end));
      }, original),
  );

const files = new Map<string, Uint8Array<ArrayBuffer>>();
beforeAll(async () => {
  const tokenizer = await readFixture('weights/alice-gpt2/tokenizer.json').catch(() => undefined);
  for (const name of ['config.json', 'model.safetensors'])
    files.set(name, await readFixture(`${FOLDER}/${name}`));
  files.set('tokenizer.json', tokenizer ?? (await readFixture('weights/alice-pythia/tokenizer.json')));
});

function modelWith(name: string, bytes: Uint8Array<ArrayBuffer>) {
  return {
    name: 'changed',
    open: (wanted: string) => {
      const content = wanted === name ? bytes : files.get(wanted);
      return Promise.resolve(content && memorySource(wanted, content));
    },
    list: () => Promise.resolve([...files.keys()]),
  };
}

function npy(header: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(`${header}\n`);
  const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8);
  return joined(magic, text, new Uint8Array(4 * 12));
}

const readers: readonly (readonly [
  kind: string,
  original: () => Uint8Array<ArrayBuffer>,
  read: (bytes: Uint8Array<ArrayBuffer>) => unknown,
])[] = [
  [
    'config.json',
    () => files.get('config.json')!,
    async (bytes) => (await describeModel(modelWith('config.json', bytes))).close(),
  ],
  [
    'safetensors',
    () => files.get('model.safetensors')!,
    async (bytes) => (await describeModel(modelWith('model.safetensors', bytes))).close(),
  ],
  [
    'tokenizer.json',
    () => files.get('tokenizer.json')!,
    async (bytes) => {
      const tokenizer = await loadTokenizer(modelWith('tokenizer.json', bytes));
      tokenizer.decode(tokenizer.encode('Alice was 17 years old.\n\n'));
    },
  ],
  [
    'npy',
    () => npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"),
    async (bytes) => findArrays(memorySource('changed.npy', bytes)),
  ],
  [
    'ids',
    () => encoder.encode('{"real": [1, 2, 3, 4, 5], "shuffled": [5, 4, 3, 2, 1]}'),
    (bytes) =>
      readTokenIds(decodeText(bytes, { source: 'ids.json' }), { vocabulary: 100, context: 64 }, 'ids.json'),
  ],
];

test.each(readers)('a changed %s is read, or refused by one of our errors', async (kind, original, read) => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(changes, async (change) => {
      try {
        await read(change(original()));
      } catch (error) {
        refused += 1;
        if (!(error instanceof LaminarError)) throw error;
        expect(error.message.length).toBeGreaterThan(10);
        expect(error.message).not.toMatch(/[\p{Cc}]/u);
      }
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  tell(`changed ${kind}: ${RUNS} read, ${refused} refused by name, no other error`);
  expect(refused).toBeGreaterThan(0);
});
