import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictObject, StrictJsonError } from '../../src/engine/strict-json.ts';

/** Maps as objects, as JSON.parse gives them. */
const plain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...(value as Map<string, unknown>)].map(([key, one]) => [key, plain(one)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value;

/** Any character; fast-check's own unit of that kind first builds a table of all, which takes a second. */
const character = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));
const anyString = fc.oneof(fc.string(), fc.string({ unit: character }));
/** What JSON can say, as JSON. */
const json = fc
  .anything({
    key: anyString,
    values: [
      fc.boolean(),
      fc.integer(),
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      anyString,
      fc.constant(null),
    ],
    maxDepth: 4,
  })
  .map((value) => JSON.stringify(value));

describe('parseStrictObject', () => {
  it('gives what JSON.parse gives, but for numbers that are not whole', () => {
    const whole = json.map((text) => `{"value":${text}}`);
    fc.assert(
      fc.property(whole, fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
        const value = JSON.parse(text, (_, one: unknown) =>
          typeof one === 'number' &&
          !(Number.isInteger(one) && /^\d+$/.test(String(one)) && !Object.is(one, -0))
            ? 'not whole'
            : one,
        ) as unknown;
        const again = JSON.stringify(JSON.parse(text), null, indent);
        const found = JSON.parse(
          JSON.stringify(plain(parseStrictObject(again))).replaceAll('null', 'null'),
        ) as unknown;
        const expected = JSON.parse(JSON.stringify(value).replaceAll('"not whole"', 'null')) as unknown;
        expect(found).toEqual(expected);
      }),
    );
  });

  it('takes a string of any length', () => {
    const long = 'x'.repeat(2 ** 22);
    expect(parseStrictObject(`{"a":"${long}","b":"\\n${long}"}`).get('b')).toBe(`\n${long}`);
  });

  it.each([
    '',
    '{',
    '{"a"',
    '{"a":"',
    '{"a":"\\',
    '{"a":"\\x"}',
    '{"a":1,}',
    '{"a":[1,]}',
    '{"a":tru}',
    '{a:1}',
    '{"a":+1}',
    '{"a":.5}',
  ])('refuses %j', (text) => {
    expect(() => parseStrictObject(text)).toThrow(StrictJsonError);
  });
});
