import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import type { Tokenizer } from '../../../src/engine/tokenizer.ts';
import { NaiveBpe } from '../../support/naive-bpe.ts';
import { gpt2, smallTokenizer, tokenizerOf } from '../../support/tokenizer-fixture.ts';

const { merges, vocab } = await gpt2();
const vocabulary = new Map(Object.entries(vocab));
const naive = new NaiveBpe(vocabulary, merges);
const whole = smallTokenizer({ model: { vocab, merges } });
const tokenizer = await tokenizerOf(whole);
const alice = new TextDecoder().decode(await readFixture('weights/text/alice.txt'));

describe("GPT-2's ids", () => {
  it.each([
    ['Hello, world!', [15496, 11, 995, 0]],
    ['This is a test', [1212, 318, 257, 1332]],
    // U+0085 is white space to Rust and not to JavaScript, U+FEFF the other way round.
    ['He said \u0085and left\n', [1544, 531, 220, 126, 227, 392, 1364, 198]],
    ['', []],
  ])('of %j are those that the Rust library gives', (text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it.each([
    [
      'spaces that only one language knows',
      'a\uFEFFb \uFEFF c\u0085\u0085d\u00A0\u00A0e \u3000f\u180Eg\u200Bh',
    ],
    ['long runs of spaces', `a${' '.repeat(700)}b${'\n'.repeat(301)}c${' '.repeat(300)}`],
    ['contractions', "it's IT'S 've 'v 'lll don't'd ''s"],
    ['numbers of every kind', '1234 ²³ Ⅷ ½ ٣٤ 一二'],
    ['characters beyond the BMP', '🐇 👩‍👩‍👧 𝔘𝔫𝔦 𐍈 𠀀a'],
    ['composed and decomposed letters', 'é e\u0301 Å A\u030A \u0301'],
    ['a word that is long', 'x'.repeat(257) + 'abc'.repeat(1000) + '='.repeat(2000)],
    ['control characters', '\0\x01\x1F\x7F\t\r\n'],
    ['part of a book', alice.slice(50_000, 60_000)],
  ])('of %s are those of the plain algorithm', (_, text) => {
    expect(tokenizer.encode(text)).toEqual(naive.encode(text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('of any text are those of the plain algorithm', () => {
    const pieces = fc.constantFrom(
      ...[
        'a',
        ' ',
        '  ',
        '\n',
        "'",
        "'s",
        '1',
        'the',
        ' the',
        '\u0085',
        '\uFEFF',
        '\u00A0',
        '🐇',
        'é',
        '_',
        '-',
      ],
    );
    const text = fc.array(fc.oneof(pieces, fc.string({ unit: 'grapheme' })), { maxLength: 60 });
    fc.assert(
      fc.property(text, (parts) => {
        const joined = parts.join('');
        expect(tokenizer.encode(joined)).toEqual(naive.encode(joined));
        expect(tokenizer.decode(tokenizer.encode(joined))).toBe(joined);
      }),
      { numRuns: 300 },
    );
  });

  it('take half a pair of surrogates for U+FFFD, as UTF-8 does', () => {
    expect(tokenizer.encode('a\uD83Db')).toEqual(tokenizer.encode('a\uFFFDb'));
  });
});

describe('merges', () => {
  const ids = async (text: string, merges: readonly (readonly [string, string])[], model = {}) =>
    (await tokenizerOf(smallTokenizer({ model }, merges))).encode(text);

  it('of equal rank begin at the left', async () => {
    expect(await ids('aaaaa', [['a', 'a']])).toEqual([256, 256, 97]);
  });

  it('go by rank, not by place', async () => {
    const list = [
      ['b', 'c'],
      ['a', 'b'],
    ] as const;
    expect(await ids('abc', list)).toEqual([97, 256]);
  });

  it('are passed over for a whole word where the model says so', async () => {
    const merges = [
      ['b', 'c'],
      ['a', 'b'],
    ] as const;
    const { vocab } = smallTokenizer({}, merges)['model'] as { vocab: Record<string, number> };
    const model = { vocab: { ...vocab, abc: 258 } };
    expect(await ids('abc', merges, model)).toEqual([97, 256]);
    expect(await ids('abc', merges, { ...model, ignore_merges: true })).toEqual([258]);
  });

  it('of a long word are the same in parts', async () => {
    const list = [
      ['a', 'b'],
      ['ab', 'ab'],
      ['b', 'b'],
    ] as const;
    const random = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 300, maxLength: 900 });
    const model = smallTokenizer({}, list)['model'] as { vocab: Record<string, number> };
    const reference = new NaiveBpe(
      new Map(Object.entries(model.vocab)),
      list.map((pair) => pair.join(' ')),
    );
    const small = await tokenizerOf(smallTokenizer({}, list));
    fc.assert(
      fc.property(random, (letters) => {
        expect(small.encode(letters.join(''))).toEqual(reference.encode(letters.join('')));
      }),
      { numRuns: 50 },
    );
  });

  it('that name a token that is not there are refused', async () => {
    const model = { merges: [['a', 'zz']] };
    await expect(tokenizerOf(smallTokenizer({ model }))).rejects.toThrow(/lacks "zz", which merge 0 names/);
    await expect(tokenizerOf(smallTokenizer({ model: { merges: ['a b c'] } }))).rejects.toThrow(
      /merge 0 is not a pair/,
    );
  });
});

describe('bytes that stand for unknown characters', () => {
  const vocab = { '<unk>': 0, '<0xC3>': 1, '<0xA9>': 2, a: 3, '▁': 4, '▁a': 5 };
  const model = { vocab, merges: [['▁', 'a']], unk_token: '<unk>', byte_fallback: true, fuse_unk: true };
  const llama = {
    ...smallTokenizer({ model }),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
  };

  it('are used where all are in the vocabulary, else one unknown token for a run', async () => {
    const small = await tokenizerOf(llama);
    expect(small.encode('a é')).toEqual([5, 4, 1, 2]);
    expect(small.encode('a 一二a')).toEqual([5, 4, 0, 3]);
    expect(small.encode('é'.repeat(250))).toEqual([
      4,
      ...Array.from({ length: 500 }, (_, place) => 1 + (place % 2)),
    ]);
    expect(small.decode([5, 4, 1, 2])).toBe('a é');
    expect(small.decode([5, 1])).toBe('a\uFFFD');
    expect(small.tokenText(5)).toBe(' a');
  });

  it('that the vocabulary lacks are missed once they are needed', async () => {
    const small = await tokenizerOf({ ...llama, model: { ...model, type: 'BPE', unk_token: '<gone>' } });
    expect(small.encode('a é')).toEqual([5, 4, 1, 2]);
    expect(() => small.encode('一')).toThrow(/fails on this text \(its vocabulary lacks .*"<gone>"\)/);
  });

  it('do not keep a long text without words from being cut where no merge crosses', async () => {
    const small = await tokenizerOf(llama);
    const text = 'a '.repeat(500);
    expect(small.encode(text)).toEqual([...Array<number>(500).fill(5), 4]);
  });
});

describe('decode', () => {
  it("gives U+FFFD for parts of a character, once for each part as Rust's from_utf8_lossy", () => {
    const rabbit = tokenizer.encode('🐇');
    expect(rabbit.length).toBeGreaterThan(1);
    expect(tokenizer.decode(rabbit.slice(0, -1))).toBe('\uFFFD');
    expect(tokenizer.decode(rabbit)).toBe('🐇');
    expect(rabbit.map((id) => tokenizer.tokenText(id))).toEqual(
      rabbit.map(() => expect.stringContaining('\uFFFD')),
    );
  });

  it('keeps special tokens, spaces and a byte order mark; nothing stands for an id that no token has', async () => {
    const added_tokens = [{ content: '<|endoftext|>', special: true }];
    const special: Tokenizer = await tokenizerOf({ ...whole, added_tokens });
    expect(special.decode(special.encode('\uFEFFa , b.<|endoftext|> c'))).toBe('\uFEFFa , b.<|endoftext|> c');
    expect(special.encode('a<|endoftext|>')).toEqual([64, 50256]);
    expect(special.decode([64, 99_999])).toBe('a');
    expect(special.decode([])).toBe('');
    expect(special.tokenText(262)).toBe(' the');
    expect(() => special.decode([1.5])).toThrow(/1\.5 is not a token id/);
    expect(() => special.decode([-1])).toThrow(/-1 is not a token id/);
  });
});

describe('encodeLong', () => {
  it('gives the ids of encode, and tells how far it is', async () => {
    const amounts: number[] = [];
    const ids = await tokenizer.encodeLong(alice, {
      onProgress: (done, total) => {
        expect(total).toBe(alice.length);
        amounts.push(done);
      },
    });
    expect([...ids]).toEqual(tokenizer.encode(alice));
    expect(amounts.at(-1)).toBe(alice.length);
    expect([...amounts].sort((a, b) => a - b)).toEqual(amounts);
  });

  it.each([
    ['a text', alice.repeat(20)],
    ['one word of a single letter', 'a'.repeat(3_000_000)],
    ['one word of many letters', alice.replace(/[^a-z]/g, '').repeat(20)],
    ['a run of spaces', ' '.repeat(3_000_000)],
  ])('hears a signal in the middle of %s', async (_, text) => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      stop.abort(new Error('stopped'));
    }, 0);
    await expect(tokenizer.encodeLong(text, { signal: stop.signal })).rejects.toThrow('stopped');
    clearTimeout(timer);
  });
});
