import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/engine/errors.ts';
import { parseJson } from '../../src/engine/files.ts';

const parse = (text: string) => parseJson(text, 'folder/config.json', 'download the file again');

describe('parseJson', () => {
  it("reads Python's constants wherever a value may stand", () => {
    expect(parse('{"a": NaN, "b": [Infinity, -Infinity, {"c":NaN}], "d": 1}')).toEqual({
      a: NaN,
      b: [Infinity, -Infinity, { c: NaN }],
      d: 1,
    });
    expect(parse('NaN')).toBeNaN();
    expect(parse(' -Infinity\n')).toBe(-Infinity);
  });

  it('leaves strings as they are', () => {
    const value = { NaN: 'NaN', 'a\\"Infinity': '"-Infinity, NaN"', b: 'NaN\\' };
    expect(parse(JSON.stringify(value))).toEqual(value);
    expect(parse(`{"a": NaN, "b": ${JSON.stringify(value)}}`)).toEqual({ a: NaN, b: value });
  });

  it.each([
    ['<!DOCTYPE html>\n<title>404</title>', /is not valid JSON but a web page; download the file again$/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:00', /is a Git LFS pointer.*git lfs pull/],
    [' \n', /config\.json: is empty; download the file again$/],
  ])('says what %j is', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it.each([
    '{"a": NaNa}',
    '{"a": 1Infinity}',
    '{"a": --Infinity}',
    '{"a": +Infinity}',
    '{"a": NaN NaN}',
    '{NaN: 1}',
    '{"a": nan}',
    '{"a": Infinity',
    '{"a": "\\u0000python:NaN", "b": NaN}',
    '{"model_',
    '',
  ])('refuses %j in one line', (text) => {
    expect(() => parse(text)).toThrow(FormatError);
    expect(() => parse(text)).toThrow(
      /^folder\/config\.json: is (not valid JSON \([^\n]*\)|empty); download the file again$/,
    );
  });
});
