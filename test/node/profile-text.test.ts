import { expect, it } from 'vitest';
import type { Tokenizer } from '../../src/engine/tokenizer.ts';
import { describeText, tokensPages } from '../../src/node/profile-text.ts';
import { makeReport } from '../support/report-fixture.ts';

const words = [' a', ' b', '\u001b[31m'];
const tokenizer = {
  decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => words[id]!).join(''),
  tokenText: (id: number) => words[id]!,
} as Tokenizer;
const sequence = (ids: number[]) => ({
  ids,
  maxLogSoftmax: [-1, -2, -3],
  spectra: [Float32Array.of(4, 0, 0)],
});
const report = makeReport(sequence([0, 1, 2]), sequence([2, 1, 0]), 4);

it('prints both sequences as text that does nothing to a terminal', () => {
  expect(describeText(report, tokenizer)).toBe('\nreal text:\n\n a b␛[31m\n\nshuffled text:\n\n␛[31m b a\n');
});

it('makes a page of each sequence, of ids where there is no tokenizer, and none without logits', () => {
  const pages = tokensPages(report, tokenizer);
  expect(Object.keys(pages)).toEqual(['tokens-real.html', 'tokens-shuffled.html']);
  expect(pages['tokens-shuffled.html']).toMatch(/<main><span[^>]*>␛\[31m<\/span><span[^>]*> b<\/span>/);
  expect(tokensPages(report, null)['tokens-real.html']).toMatch(/<main><span[^>]*>0 <\/span>/);
  const without = structuredClone(report);
  for (const name of ['real', 'shuffled'] as const) without.sequences[name].max_log_softmax = null;
  expect(tokensPages(without, tokenizer)).toEqual({});
});
