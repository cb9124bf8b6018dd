import { describe, expect, it } from 'vitest';
import { FileError, FormatError } from '../../../src/engine/errors.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer.ts';
import { chooseTokenizerFiles, tokenizerFiles } from '../../../src/engine/tokenizer/files.ts';
import { folder, gpt2, smallTokenizer } from '../../support/tokenizer-fixture.ts';

const vocabulary = (smallTokenizer({}, [['a', 'b']])['model'] as { vocab: object }).vocab;
const oldForm = { 'vocab.json': vocabulary, 'merges.txt': '#version: 0.2\na b\n' };

describe('vocab.json and merges.txt', () => {
  it('are what they are as tokenizer.json', async () => {
    const { vocab, merges } = await gpt2();
    const files = { 'vocab.json': vocab, 'merges.txt': `#version: 0.2\r\n${merges.join('\r\n')}\r\n` };
    const tokenizer = await loadTokenizer(folder(files));
    const ids = [1544, 531, 220, 126, 227, 392, 1364, 50256];
    expect(tokenizer.encode('He said \u0085and left<|endoftext|>')).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe('He said \u0085and left<|endoftext|>');
  });

  it('keep a merge of number signs, and need no version', async () => {
    const files = { 'vocab.json': { ...vocabulary, '##': 256 }, 'merges.txt': '# #' };
    expect((await loadTokenizer(folder(files))).encode('##')).toEqual([256]);
  });

  it('take added and special tokens from the files beside them', async () => {
    const tokenizer = await loadTokenizer(
      folder({
        ...oldForm,
        'added_tokens.json': { '<late>': 258, '<early>': 257 },
        'special_tokens_map.json': { eos_token: { content: '<early>', lstrip: true }, pad_token: '<pad>' },
        'tokenizer_config.json': { add_prefix_space: true, additional_special_tokens: ['<more>'] },
      }),
    );
    expect(tokenizer.encode('ab <early><late><pad>')).toEqual([32, 256, 257, 258, 259]);
    expect(tokenizer.encode('<more>')).toEqual([260]);
  });

  it('give way to tokenizer.json', async () => {
    const files = folder({ ...oldForm, 'tokenizer.json': smallTokenizer() });
    expect((await loadTokenizer(files)).encode('ab')).toEqual([97, 98]);
  });

  it.each([
    [
      { 'vocab.json': vocabulary },
      /^folder: has vocab\.json but neither merges\.txt nor tokenizer\.json; add one/,
    ],
    [
      { 'merges.txt': 'a b' },
      /^folder: has merges\.txt but neither vocab\.json nor tokenizer\.json; add one/,
    ],
  ])('need each other: %j', async (files, message) => {
    await expect(loadTokenizer(folder(files))).rejects.toThrow(message);
  });

  it.each([
    [{ ...oldForm, 'vocab.json': [] }, /folder\/vocab\.json: is not a JSON object/],
    [{ ...oldForm, 'vocab.json': { a: 'x' } }, /folder\/vocab\.json: .*gives token "a" the id "x"/],
    [{ ...oldForm, 'merges.txt': 'a b c' }, /folder\/vocab\.json: .*merge 0 is not a pair/],
    [{ ...oldForm, 'added_tokens.json': { '<a>': -1 } }, /added_tokens\.json gives token "<a>" the id -1/],
  ])('are refused where they are broken: %#', async (files, message) => {
    await expect(loadTokenizer(folder(files))).rejects.toThrow(FormatError);
    await expect(loadTokenizer(folder(files))).rejects.toThrow(message);
  });
});

describe('a model without a tokenizer that can be read', () => {
  it.each([
    ['tokenizer.model', 'SentencePiece'],
    ['spiece.model', 'SentencePiece'],
    ['qwen.tiktoken', 'tiktoken'],
  ])('is told how to convert %s', async (name, format) => {
    const loading = loadTokenizer(folder({ [name]: 'binary' }));
    await expect(loading).rejects.toThrow(FileError);
    await expect(loading).rejects.toThrow(
      new RegExp(`^folder: has its tokenizer only as ${name} \\(.*${format}.*save_pretrained.*token ids`),
    );
  });

  it('is told of every way out', async () => {
    await expect(loadTokenizer(folder({}))).rejects.toThrow(
      /^folder: has no tokenizer\.json, and no vocab\.json with merges\.txt; .*token ids.*save_pretrained/,
    );
  });
});

describe('what is fetched', () => {
  it('is tokenizer.json, or the old form in its place', () => {
    const all = new Set(tokenizerFiles);
    expect(chooseTokenizerFiles((name) => all.has(name))).toEqual([
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    all.delete('tokenizer.json');
    expect(chooseTokenizerFiles((name) => all.has(name))).toEqual([
      'tokenizer_config.json',
      'vocab.json',
      'merges.txt',
      'added_tokens.json',
      'special_tokens_map.json',
    ]);
  });
});
