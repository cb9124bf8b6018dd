import { describe, expect, it } from 'vitest';
import { mayBacktrack, rewritePattern } from '../../../src/engine/tokenizer/patterns.ts';
import { smallTokenizer, tokenizerOf } from '../../support/tokenizer-fixture.ts';

/** The words that a pre-tokenizer makes: every piece of the text is a token, so that ids tell where it was cut. */
async function words(pre_tokenizer: unknown, text: string): Promise<string[]> {
  const marked = text.replaceAll(' ', '▁');
  const pieces = [text, ` ${text}`, marked, `▁${marked}`].flatMap((whole) =>
    Array.from(whole, (_, start) =>
      Array.from(whole, (_, length) => whole.slice(start, start + length + 1)),
    ).flat(),
  );
  const tokens = [...new Set(pieces)];
  const tokenizer = await tokenizerOf({
    pre_tokenizer,
    model: { type: 'WordLevel', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])) },
  });
  return tokenizer.encode(text).map((id) => tokens[id]!);
}

const split = (source: string, behavior = 'Isolated', invert = false) => ({
  type: 'Split',
  pattern: { Regex: source },
  behavior,
  invert,
});

describe('mayBacktrack', () => {
  const own = (source: string) => mayBacktrack({ model: {}, pre_tokenizer: split(source) });
  it.each([
    '(a+)+b',
    '(a|a)*',
    '(?:a*){2,}',
    String.raw`(\w+\s?){20}`,
    String.raw`x\\(a+)+`,
    '([)]a*)*',
    '(a*)*?',
  ])('%s may', (source) => {
    expect(own(source)).toBe(true);
  });
  it.each([
    // Of GPT-2, Llama 3 and GPT-4o.
    String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}]*[\p{Ll}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+`,
    String.raw`\)+|[)]*|(a|b){1,3}`,
  ])('%s may not', (source) => {
    expect(own(source)).toBe(false);
  });
  it('is asked of every part', () => {
    expect(mayBacktrack({ normalizer: { type: 'Replace', pattern: { Regex: '(a+)+' }, content: '' } })).toBe(
      true,
    );
    expect(mayBacktrack({ model: { vocab: { Regex: 1 } } })).toBe(false);
  });
});

describe('patterns are read as Oniguruma reads them', () => {
  it.each([
    [String.raw`\s`, 'a\u0085b\uFEFFc', ['a', '\u0085', 'b\uFEFFc']],
    [String.raw`\S+`, 'a\u0085\uFEFF', ['a', '\u0085', '\uFEFF']],
    [String.raw`\w+`, 'é٣_① -', ['é٣_', '① -']],
    [String.raw`\d`, 'a٣b', ['a', '٣', 'b']],
    [String.raw`\b`, 'né -', ['né', ' -']],
    [String.raw`\h+`, 'xaF1g', ['x', 'aF1', 'g']],
    [String.raw`\Aa|a\z`, 'aba', ['a', 'b', 'a']],
    [String.raw`(?i:'s|'ll)`, "x'S'ſ'Ll", ['x', "'S", "'ſ", "'Ll"]],
    [String.raw`(?i:'s)|[^\p{L}]+`, 'α\u0345', ['α', '\u0345']],
    [String.raw`a++a|b`, 'aaab', ['aaa', 'b']],
    [String.raw`(?>a|ab)c`, 'abcac', ['abc', 'ac']],
    [String.raw`\p{Han}+`, 'a漢字b', ['a', '漢字', 'b']],
    [String.raw`[\w&&[^a]]+`, 'bab', ['b', 'a', 'b']],
    [String.raw`.`, 'a\nb', ['a', '\n', 'b']],
    [String.raw`^b`, 'a\nb', ['a\n', 'b']],
  ])('%s', async (source, text, expected) => {
    expect(await words(split(source), text)).toEqual(expected);
  });

  it("Llama 3's", async () => {
    const llama =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    expect(await words(split(llama), "He'S 12345 a!\n\n  \n x")).toEqual([
      'He',
      "'S",
      ' ',
      '123',
      '45',
      ' a',
      '!\n\n',
      '  \n',
      ' x',
    ]);
  });

  it('rewrites only what it must', () => {
    expect(rewritePattern(String.raw`a\\w[\]\s]\p{L}`)).toBe(String.raw`a\\w[\]\s]\p{L}`);
    expect(rewritePattern('(?i:[sk]|ll)')).toBe('(?:[sS\u017FkK\u212A]|[lL][lL])');
  });

  it('says so where a pattern is not understood', async () => {
    await expect(words(split('(a'), 'a')).rejects.toThrow(/its pattern "\(a" is not understood/);
  });
});

describe('pre-tokenizers', () => {
  it.each([
    ['Removed', false, ['a', 'b', 'c']],
    ['Isolated', false, ['a', '-', '-', 'b', '-', 'c']],
    ['Contiguous', false, ['a', '--', 'b', '-', 'c']],
    ['MergedWithPrevious', false, ['a-', '-', 'b-', 'c']],
    ['MergedWithNext', false, ['a', '-', '-b', '-c']],
    ['Removed', true, ['-', '-', '-']],
    ['Isolated', true, ['a', '-', '-', 'b', '-', 'c']],
    ['MergedWithPrevious', true, ['a', '-', '-b', '-c']],
  ])('Split, %s, inverted: %s', async (behavior, invert, expected) => {
    expect(await words(split('-', behavior, invert), 'a--b-c')).toEqual(expected);
  });

  it('Split at places that hold nothing', async () => {
    expect(await words(split('(?=[A-Z])'), 'aBcD')).toEqual(['a', 'Bc', 'D']);
  });

  it.each([
    [{ type: 'Digits', individual_digits: true }, 'a½٣b', ['a', '½', '٣', 'b']],
    [{ type: 'Digits', individual_digits: false }, 'a12b', ['a', '12', 'b']],
    [{ type: 'Punctuation' }, 'a,«b', ['a', ',', '«', 'b']],
    [{ type: 'Whitespace' }, 'né, b\u0085c', ['né', ',', 'b', 'c']],
    [{ type: 'WhitespaceSplit' }, 'a\u0085b\uFEFFc', ['a', 'b\uFEFFc']],
    [{ type: 'CharDelimiterSplit', delimiter: '.' }, 'a.b', ['a', 'b']],
    [{ type: 'BertPreTokenizer' }, 'a b,c', ['a', 'b', ',', 'c']],
    [{ type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' }, 'a b', ['▁a', '▁b']],
    [{ type: 'Metaspace', replacement: '▁', prepend_scheme: 'never' }, 'a b', ['a', '▁b']],
    [{ type: 'FixedLength', length: 2 }, 'abc', ['ab', 'c']],
  ])('%j', async (part, text, expected) => {
    expect(await words(part, text)).toEqual(expected);
  });

  it('ByteLevel adds a space and leaves words whole where it is told to', async () => {
    const make = (flags: object) =>
      tokenizerOf(
        smallTokenizer({ pre_tokenizer: { type: 'ByteLevel', ...flags } }, [
          ['a', 'Ġ'],
          ['Ġ', 'a'],
        ]),
      );
    expect((await make({ add_prefix_space: true })).encode('a')).toEqual([257]);
    expect((await make({ add_prefix_space: true })).encode(' a')).toEqual([257]);
    expect((await make({ add_prefix_space: false })).encode('a a')).toEqual([97, 257]);
    expect((await make({ add_prefix_space: false, use_regex: false })).encode('a a')).toEqual([256, 97]);
  });

  it('refuses what it does not know, by name', async () => {
    await expect(words({ type: 'Elsewhere' }, 'a')).rejects.toThrow(/pre-tokenizer Elsewhere is not known/);
  });
});

describe('normalizers', () => {
  const normalized = async (normalizer: unknown, text: string) => {
    const tokenizer = await tokenizerOf(smallTokenizer({ normalizer }));
    return tokenizer.decode(tokenizer.encode(text));
  };

  it.each([
    [{ type: 'NFC' }, 'e\u0301', 'é'],
    [{ type: 'NFD' }, 'é', 'e\u0301'],
    [{ type: 'NFKC' }, 'ﬁ²', 'fi2'],
    [{ type: 'Lowercase' }, 'ΟΔΟΣ İ', 'οδοσ i\u0307'],
    [{ type: 'Strip', strip_left: true, strip_right: true }, '\u0085 \uFEFFa \u0085', '\uFEFFa'],
    [{ type: 'Strip', strip_left: false, strip_right: true }, ' a ', ' a'],
    [{ type: 'StripAccents' }, 'e\u0301', 'e'],
    [{ type: 'Prepend', prepend: '>' }, 'a', '>a'],
    [{ type: 'Replace', pattern: { String: '.' }, content: '$&$1' }, 'a.b', 'a$&$1b'],
    [{ type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, 'a\u0085\u0085b\uFEFF', 'a b\uFEFF'],
    [{ type: 'BertNormalizer', lowercase: true }, 'É\u0000漢\u0085a', 'e 漢 a'],
    [{ type: 'BertNormalizer' }, 'a\u0378\uE000\u200D', 'a\u0378'], // not assigned is not a control
    [{ type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }] }, 'é', 'e'],
  ])('%j', async (normalizer, text, expected) => {
    expect(await normalized(normalizer, text)).toBe(expected);
  });
});

describe('added tokens', () => {
  const make = (tokens: readonly object[], more = {}) =>
    tokenizerOf(smallTokenizer({ added_tokens: tokens, ...more }));

  it('are found leftmost first and then the longest', async () => {
    const tokenizer = await make([{ content: '<a' }, { content: '<a>' }, { content: 'x<' }]);
    expect(tokenizer.encode('<a><a')).toEqual([257, 256]);
    expect(tokenizer.encode('x<a>')).toEqual([258, 97, 62]);
  });

  it('stand alone where they are single words', async () => {
    const tokenizer = await make([{ content: 'cat', single_word: true }]);
    expect(tokenizer.encode('cat')).toEqual([256]);
    expect(tokenizer.encode('-cat.')).toEqual([45, 256, 46]);
    for (const text of ['cats', 'écat', 'cat_', '𝔘cat', 'cat\u0301'])
      expect(tokenizer.encode(text)).not.toContain(256);
  });

  it('take white space that Rust knows, and none twice', async () => {
    const tokenizer = await make([{ content: '<m>', lstrip: true, rstrip: true }]);
    expect(tokenizer.encode('a \u0085<m> \n <m>\uFEFF')).toEqual([
      97,
      256,
      256,
      ...new TextEncoder().encode('\uFEFF'),
    ]);
  });

  it('of white space are left out where the one before has taken it', async () => {
    const tokenizer = await make([{ content: ' ', lstrip: true, rstrip: true, normalized: false }]);
    expect(tokenizer.encode('  a ')).toEqual([256, 97, 256]);
    const others = await make([{ content: ' ', rstrip: true }]);
    expect(others.encode('  ')).toEqual([256, 256]);
  });

  it('are looked for before the normalizer, or after it', async () => {
    const normalizer = { type: 'Lowercase' };
    const before = await make([{ content: 'AB', normalized: false }], { normalizer });
    expect(before.encode('AB ab')).toEqual([256, 32, 97, 98]);
    const after = await make([{ content: 'AB', normalized: true }], { normalizer });
    expect(after.encode('AB aB')).toEqual([256, 32, 256]);
    const both = await make([
      { content: '<x>', normalized: false },
      { content: 'y<', normalized: true },
    ]);
    expect(both.encode('y<x>')).toEqual([121, 256]);
  });

  it('have the ids of the vocabulary, or those that follow', async () => {
    const tokenizer = await make([
      { content: 'a', id: 7 },
      { content: '<b>', id: 9 },
    ]);
    expect(tokenizer.encode('a<b>')).toEqual([97, 256]);
    expect(tokenizer.decode([97, 256])).toBe('a<b>');
  });

  it('are completed by tokenizer_config.json, which may also ask for a space before the text', async () => {
    const settings = {
      add_prefix_space: true,
      added_tokens_decoder: { 256: { content: '<b>', special: true }, 257: { content: '<c>', lstrip: true } },
    };
    const tokenizer = await tokenizerOf(smallTokenizer({ added_tokens: [{ content: '<b>' }] }), settings);
    expect(tokenizer.encode('a <c><b>')).toEqual([32, 97, 257, 256]);
  });
});

describe('other models', () => {
  it('WordPiece takes the longest token first, and a word that does not come out is unknown', async () => {
    const tokenizer = await tokenizerOf({
      pre_tokenizer: { type: 'BertPreTokenizer' },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        vocab: { '[UNK]': 0, un: 1, '##able': 2, '##a': 3, '.': 4 },
      },
    });
    expect(tokenizer.encode('unable unx una.')).toEqual([1, 2, 0, 1, 3, 4]);
    expect(tokenizer.decode([1, 2, 1, 4])).toBe('unable un.');
  });

  it('Unigram takes the likeliest cut', async () => {
    const tokenizer = await tokenizerOf({
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      model: {
        type: 'Unigram',
        unk_id: 0,
        vocab: [
          ['<unk>', 0],
          ['▁', -3],
          ['a', -3],
          ['b', -3],
          ['▁ab', -4],
          ['▁a', -5],
        ],
      },
    });
    expect(tokenizer.encode('ab b')).toEqual([4, 1, 3]);
    expect(tokenizer.decode([4, 1, 3])).toBe('ab b');
  });

  it('Unigram gives the bytes of unknown characters where it is told to and has them', async () => {
    const pieces = [['<unk>', 0], ['▁▁', -3], ['<0xC3>', -9], ['<0xA9>', -9], ['a', -3]]; // prettier-ignore
    const tokenizer = await tokenizerOf({
      decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      model: { type: 'Unigram', unk_id: 0, byte_fallback: true, vocab: pieces },
    });
    expect(tokenizer.encode('aé▁▁一')).toEqual([4, 2, 3, 1, 0]);
    // Of the first token every mark goes.
    expect(tokenizer.decode([1, 4, 1])).toBe('a  ');
  });
});
