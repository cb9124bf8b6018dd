import { describe, expect, it } from 'vitest';
import { checkTokenIds, parseTokenIds, readTokenIds } from '../../src/analysis/token-ids.ts';
import { FormatError, InputError } from '../../src/engine/errors.ts';

const limits = { vocabulary: 50, context: 4 };

describe('checkTokenIds', () => {
  it('takes ids up to the limits', () => {
    expect(checkTokenIds([0, 49, 3, 3], limits, 'ids.json')).toEqual(Int32Array.of(0, 49, 3, 3));
    expect(checkTokenIds(Int32Array.of(7), limits, 'ids.json')).toEqual(Int32Array.of(7));
    expect(checkTokenIds([[1, 2]], limits, 'ids.json')).toEqual(Int32Array.of(1, 2));
  });

  it.each([
    [[], /ids.json: there are no token ids/],
    [[[]], /ids.json: there are no token ids/],
    [[1, 2, 3, 4, 5], /5 token ids are more than the model's context of 4/],
    [[1, 50], /token id 1 is 50, out of the vocabulary; give ids from 0 to 49/],
    [[-1], /token id 0 is -1, out of the vocabulary/],
    [[1, 2 ** 32 + 1], /token id 1 is 4294967297, out of the vocabulary/],
    [[1.5], /token id 0 is 1.5; give whole numbers/],
    [['1'], /token id 0 is "1"; give whole numbers without quotes/],
    [['the'], /token id 0 is "the"; give whole numbers; for a text, give the text itself/],
    [[null], /token id 0 is null/],
    [[Number.NaN], /token id 0 is NaN; give whole numbers/],
    [[Infinity], /token id 0 is Infinity/],
    [[[1], [2]], /a batch of 2 sequences, and a run takes one/],
    [{ a: 1 }, /must be an array/],
  ])('refuses %j', (ids, message) => {
    expect(() => checkTokenIds(ids, limits, 'ids.json')).toThrow(InputError);
    expect(() => checkTokenIds(ids, limits, 'ids.json')).toThrow(message);
  });
});

describe('readTokenIds', () => {
  const read = (text: string) => readTokenIds(text, limits, 'ids.json');

  it.each([
    ['an array', '[1, 2, 3, 4]'],
    ['a batch of one', '[[1, 2, 3, 4]]'],
    ['an encoding', '{"input_ids": [1, 2, 3, 4], "attention_mask": [1, 1, 1, 1]}'],
    ['an encoding of a batch of one', '{"input_ids": [[1, 2, 3, 4]], "attention_mask": [[1, 1, 1, 1]]}'],
    ['ids under their short name', '{"ids": [1, 2, 3, 4], "tokens": ["a"]}'],
    ['a byte order mark', '\uFEFF[1, 2, 3, 4]'],
    ["Python's list", '[1, 2, 3, 4,]'],
    ["Python's dict", "{'input_ids': [1, 2, 3, 4], 'attention_mask': [1, 1, 1, 1]}"],
    [
      'tensors',
      "{'input_ids': tensor([[1, 2, 3, 4]]), 'attention_mask': tensor([[1, 1, 1, 1]], device='cuda:0')}",
    ],
    ["numpy's array", 'array([1, 2, 3, 4], dtype=int32)'],
    ['a typed array', '{"0": 1, "1": 2, "2": 3, "3": 4}'],
    ['numbers between spaces', '1 2\n3\t4\n'],
    ['numbers between commas', '1, 2, 3, 4'],
    ['numbers as floats', '[1.0, 2e0, 3, 4]'],
    ['what numpy prints', '[[  1   2\n    3   4]]'],
    ['floats that numpy prints', '[1. 2. 3. 4.]'],
    ["numpy's numbers", '[np.int64(1), np.int64(2), np.int64(3), np.int64(4)]'],
    ["numpy's call", "numpy.array([1, 2, 3, 4], dtype='<i8')"],
    ["PyTorch's call", 'torch.LongTensor([1, 2, 3, 4])'],
    ['a tensor on a device', "tensor([[1, 2, 3, 4]], device='cuda:0', dtype=torch.int32)"],
    ["JAX's array", 'Array([1, 2, 3, 4], dtype=int32)'],
    [
      "TensorFlow's tensor",
      '<tf.Tensor: shape=(1, 4), dtype=int32, numpy=array([[1, 2, 3, 4]], dtype=int32)>',
    ],
    ['an encoding as it is printed', "BatchEncoding({'input_ids': tensor([[1, 2, 3, 4]])})"],
    ['a tuple', '(1, 2, 3, 4)'],
    ['an assignment', 'input_ids = [1, 2, 3, 4]'],
    ["Node's typed array", 'Int32Array(4) [ 1, 2, 3, 4 ]'],
    ["JavaScript's large numbers", '[ 1n, 2n, 3n, 4n ]'],
    ['numbers below a comment', '# of the first line\n1 2 3 4'],
    ['ids under another name', '{"token_ids": [1, 2, 3, 4]}'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual({ real: Int32Array.of(1, 2, 3, 4) });
  });

  it.each([
    ['[1, "2"]', InputError, /token id 1 is "2"; give whole numbers without quotes/],
    ['1 two', InputError, /token id 1 is "two"/],
    ['1 -2', InputError, /token id 1 is -2, out of the vocabulary/],
    ['[1, NaN]', InputError, /ids\.json: token id 1 is NaN; give whole numbers/],
    [
      'Alice was',
      FormatError,
      /ids\.json: cannot be read as token ids: "Alice was" stands where .*give an array of token ids/,
    ],
    ['', FormatError, /ids\.json: is empty; give/],
    [
      '[ 1  2 ... 8 9]',
      FormatError,
      /numbers were left out where it says "\.\.\.": print all of them, .*ids\.tolist\(\)/,
    ],
    ['tensor([1, 2, ..., 8, 9])', FormatError, /numbers were left out/],
    ['[1, 2\n  ... 900 more items ]', FormatError, /numbers were left out/],
    ['[1, 2', FormatError, /ends early/],
    ['[0x1]', FormatError, /"0x1\]" stands where a number/],
    ['{"real": [1]}', InputError, /has "real" without "shuffled"/],
    ['{"data": [1]}', InputError, /has none of the keys that are read; give an array/],
    ['{"real": [1], "real": [2], "shuffled": [2]}', InputError, /has the key "real" twice; leave one/],
    ['[1, 2]\n[3, 4]\n', InputError, /a batch of 2 sequences/],
    ['('.repeat(5000), FormatError, /stands where a number/],
    ['"12"', InputError, /give an array of token ids such as/],
    ['{"input_ids": 3}', InputError, /ids\.json, "input_ids": token ids must be an array/],
  ])('refuses %j', (text, kind, message) => {
    expect(() => read(text)).toThrow(kind);
    expect(() => read(text)).toThrow(message);
  });
});

describe('attention masks', () => {
  const read = (input_ids: number[], attention_mask: unknown) => {
    const notices: string[] = [];
    const { real } = parseTokenIds({ input_ids, attention_mask }, limits, 'ids.json', (line) =>
      notices.push(line),
    );
    return { ids: [...real], notices };
  };

  it('of ones, or none, say nothing', () => {
    expect(read([1, 2], [1, 1])).toEqual({ ids: [1, 2], notices: [] });
    expect(read([1, 2], null)).toEqual({ ids: [1, 2], notices: [] });
  });

  it.each([
    [[0, 0, 0, 7, 8], [0, 0, 0, 1, 1], /3 of 5 token ids are padding/],
    [[7, 8, 0, 0, 0], [1, 1, 0, 0, 0], /3 of 5 token ids are padding/],
    [[99, 7, 8, 99, 99], [0, 1, 1, 0, 0], /3 of 5 token ids are padding/],
  ])('leave out padding, with a notice: %j, %j', (ids, mask, notice) => {
    const result = read(ids, mask);
    expect(result.ids).toEqual([7, 8]);
    expect(result.notices).toEqual([expect.stringMatching(notice)]);
  });

  it.each([
    [[1, 0, 1], /"attention_mask": value 1 is 0 between ones/],
    [[0, 0, 0], /only zeros/],
    [[1, 1], /has 2 values and there are 3 token ids/],
    [[1, 0.5, 1], /value 1 is 0\.5; give 1 for a token and 0 for padding/],
  ])('that mean anything else are refused: %j', (mask, message) => {
    expect(() => read([1, 2, 3], mask)).toThrow(InputError);
    expect(() => read([1, 2, 3], mask)).toThrow(message);
  });
});

describe('parseTokenIds', () => {
  it('reads an array, or a pair', () => {
    expect(parseTokenIds([1, 2], limits, 'ids.json')).toEqual({ real: Int32Array.of(1, 2) });
    expect(parseTokenIds({ real: [1, 2], shuffled: [2, 1] }, limits, 'ids.json')).toEqual({
      real: Int32Array.of(1, 2),
      shuffled: Int32Array.of(2, 1),
    });
  });

  it.each([
    [{ real: [1] }, /give an array of token ids such as/],
    [null, /give an array of token ids such as/],
    ['12', /give an array of token ids such as/],
    [{ real: [1, 2], shuffled: [1] }, /equal lengths/],
    [{ real: [1], shuffled: [77] }, /ids.json, "shuffled": token id 0 is 77/],
  ])('refuses %j', (json, message) => {
    expect(() => parseTokenIds(json, limits, 'ids.json')).toThrow(InputError);
    expect(() => parseTokenIds(json, limits, 'ids.json')).toThrow(message);
  });
});
