import { expect, it } from 'vitest';
import { jsonText } from '../../src/analysis/json.ts';
import { reportJson } from '../../src/analysis/output-files.ts';
import { NumericalError } from '../../src/engine/errors.ts';
import { makeReport } from '../support/report-fixture.ts';

it('writes what JSON can hold, indented and with LF at the end', () => {
  const value = { a: [1, null, 'two'], b: { c: true }, d: [] };
  expect(jsonText(value, 'answer')).toBe(`${JSON.stringify(value, null, 2)}\n`);
});

it.each([
  [{ a: [1, { b: NaN }] }, 'a[1].b is NaN'],
  [{ a: Infinity }, 'a is Infinity'],
  [{ a: { b: -Infinity } }, 'a.b is -Infinity'],
  [{ a: undefined }, 'a is undefined'],
  [[[0, undefined]], '[0][1] is undefined'],
  [{ values: Float32Array.of(1, NaN) }, 'values.1 is NaN'],
  [NaN, 'the value is NaN'],
])('refuses %o and names the field', (value, words) => {
  expect(() => jsonText(value, 'answer')).toThrow(NumericalError);
  expect(() => jsonText(value, 'answer')).toThrow(`answer: ${words}, which JSON cannot hold`);
});

it('holds for report.json', () => {
  const sequence = { ids: [1], maxLogSoftmax: [-1], spectra: [Float32Array.of(0)] };
  const report = makeReport(sequence, sequence, 1);
  expect(JSON.parse(reportJson(report))).toEqual(report);
  report.sequences.shuffled.layers[0]!.top_percent = NaN;
  expect(() => reportJson(report)).toThrow('report.json: sequences.shuffled.layers[0].top_percent is NaN');
});
