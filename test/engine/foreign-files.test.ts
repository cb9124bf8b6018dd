import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../src/engine/files.ts';
import { foreignFile } from '../../src/engine/foreign-files.ts';
import { readHeader } from '../../src/engine/safetensors.ts';

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** What CPython 3.11 writes (pickle.dumps), an array, containers and numbers, by protocol. */
const pickles: readonly (readonly [what: string, bytes: string])[] = [
  ['an array, 0', 'cnumpy._core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n('],
  ['an array, 1', 'cnumpy._core.multiarray\n_reconstruct\nq\x00(cnumpy\nndarray\nq\x01(K\x00'],
  ['an array, 2', '\x80\x02cnumpy._core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01'],
  ['an array, 3', '\x80\x03cnumpy._core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01'],
  ['an array, 4', '\x80\x04\x95\x8e\x00\x00\x00\x00\x00\x00\x00\x8c\x16numpy._core.multiarray'],
  ['an array, 5', '\x80\x05\x95\x8e\x00\x00\x00\x00\x00\x00\x00\x8c\x13numpy._core.numeric'],
  ['a list, 0', '(lp0\nI1\naF2.5\na.'],
  ['a list, 1', ']q\x00(K\x01G@\x04\x00\x00\x00\x00\x00\x00e.'],
  ['a dict, 0', '(dp0\nVa\np1\ncnumpy._core.multiarray\n_reconstruct\np2\n(cnumpy\n'],
  ['a dict, 1', '}q\x00X\x01\x00\x00\x00aq\x01cnumpy._core.multiarray\n_reconstruct\nq\x02('],
  ['an OrderedDict, 0', 'ccollections\nOrderedDict\np0\n(tRp1\nVx\np2\nI1\ns.'],
  ['a tuple, 0', '(I1\nI2\ntp0\n.'],
  ['a tuple, 1', '(K\x01K\x02tq\x00.'],
  ['a tuple of arrays, 0', '(cnumpy._core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n'],
  ['an empty list, 0', '(lp0\n.'],
  ['a number, 0', 'F1.5\n.'],
  ['a large number, 0', 'L1000000000000000000000000000000L\n.'],
  ['a string, 0', 'Vabc\np0\n.'],
];

describe('foreignFile', () => {
  it.each(pickles)('knows a pickle of %s', (_, bytes) => {
    expect(foreignFile(latin1(bytes))).toEqual({ kind: 'pickle', what: 'a Python pickle' });
  });

  it('knows torch.save of old by its number, in either protocol', () => {
    expect(foreignFile(latin1('L119547037146038801333356L\n.'))?.kind).toBe('torch');
    expect(foreignFile(latin1('\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.'))?.kind).toBe(
      'torch',
    );
  });

  it.each([
    '1.5,2e-3\n3,4\n',
    'c,d,e\n1,2,3\n',
    'class A:\n  pass\n',
    '(I think so)\nI do\n',
    'I\nam\n',
    'Verse one\nand two\n',
    'x y z\n1 2 3\n',
    '',
    '\x00\x00\x00',
  ])('takes %j for none of its kinds', (text) => {
    expect(foreignFile(latin1(text))).toBeUndefined();
  });
});

describe('weights that are another kind of file', () => {
  it.each([
    [
      '(dp0\nVwte.weight\np1\nctorch._utils\n',
      /not a safetensors file but a Python pickle; save the weights as safe/,
    ],
    ['PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0', /but a zip archive, as PyTorch saves its files; save the weights/],
    ['GGUF\x03\0\0\0\0\0\0\0', /but a GGUF checkpoint; save the weights/],
    ['<!DOCTYPE html><title>Not found</title>', /but a web page; download it again/],
    ['{"error":"Repository not found"}', /but JSON text; download it again/],
  ])('%j are refused by name', async (text, message) => {
    await expect(readHeader(bytesSource('model.safetensors', latin1(text)))).rejects.toThrow(message);
  });
});
