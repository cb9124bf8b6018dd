import { expect, test } from 'vitest';
import { jsonText } from '../../src/analysis/json.ts';
import { InputError } from '../../src/engine/errors.ts';
import { listNames, messageLine, visible } from '../../src/engine/message.ts';

test.each([
  ['red \u001b[31m', 'red \\u001b[31m'],
  ['\u009b2J\u007f\0', '\\u009b2J\\u007f\\u0000'],
  ['right to left \u202eabc\u2066', 'right to left \\u202eabc\\u2066'],
  ['half \ud800', 'half \\ud800'],
  ['whole 😀, été, Δ, 猫', 'whole 😀, été, Δ, 猫'],
])('what a terminal would obey is written out: %j', (text, expected) => {
  expect(visible(text)).toBe(expected);
});

test('every error is one line of bounded length', () => {
  const names = Array.from({ length: 20_000 }, (_, index) => `h.${index}.attn\n`);
  const { message } = new InputError(`tensors ${names.join(', ')} are unknown; leave them out`);
  expect(message.length).toBeLessThan(1500);
  expect(message).toMatch(
    /^tensors h\.0\.attn , h\.1\.attn .*\d+ characters are left out.*; leave them out$/,
  );
  expect(messageLine(` a\r\n  b ${' '.repeat(1e5)}c`)).toMatch(/^a b .*c$/);
});

test('a list of names is cut with a count', () => {
  expect(listNames([])).toBe('');
  expect(listNames(['a', 'b', 'c'], 2)).toBe('a, b, c');
  expect(listNames(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
});

test('JSON writes out what a terminal would obey', () => {
  const value = { name: '\u009b31m\u007f\u001b' };
  const text = jsonText(value, 'answer');
  expect(visible(text.replaceAll('\n', ''))).toBe(text.replaceAll('\n', ''));
  expect(JSON.parse(text)).toEqual(value);
});
