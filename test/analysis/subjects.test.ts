import { expect, test } from 'vitest';
import { compareRuns } from '../../src/analysis/compare/compare.ts';
import { decodeText } from '../../src/analysis/decode-text.ts';
import { jsonText } from '../../src/analysis/json.ts';
import { kernelAlignment, principalAngles } from '../../src/analysis/measures/pairs.ts';
import { prepareMatrix } from '../../src/analysis/prepare-matrix.ts';
import { readComponents } from '../../src/analysis/reduction/components.ts';
import { pointOf, readCutLayers } from '../../src/analysis/reduction/cut-layers.ts';
import { readReport } from '../../src/analysis/compare/saved-report.ts';
import { readTokenIds } from '../../src/analysis/token-ids.ts';
import { readViews } from '../../src/analysis/views.ts';
import { LaminarError } from '../../src/engine/errors.ts';

const limits = { vocabulary: 10, context: 4 };
const ids = (text: string) => readTokenIds(text, limits, 'ids.json');
const matrix = (name: string, rows: number, columns: number) => ({
  name,
  rows,
  columns,
  values: new Float32Array(rows * columns),
});

test.each<[what: string, act: () => unknown, code: string, kind: string, name: string]>([
  ['ids that are not ids', () => ids('[1, 2.5]'), 'token-invalid', 'option', 'ids'],
  ['ids out of the vocabulary', () => ids('[1, 10]'), 'token-invalid', 'option', 'ids'],
  ['too many ids', () => ids('[1, 2, 3, 4, 5]'), 'context-exceeded', 'option', 'ids'],
  ['no ids', () => ids('[]'), 'text-empty', 'option', 'ids'],
  ['ids without a form', () => ids('{"a": 1}'), 'ids-invalid', 'option', 'ids'],
  ['an empty file of ids', () => ids(' '), 'bad-format', 'file', 'ids.json'],
  ['a file of something else', () => ids('[1, ...]'), 'bad-format', 'file', 'ids.json'],
  [
    'a text that is an image',
    () => decodeText(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), { source: 'a.png' }),
    'bad-format',
    'file',
    'a.png',
  ],
  ['a report that is not one', () => readReport('{}', 'report.json'), 'bad-format', 'file', 'report.json'],
  ['a number that JSON cannot hold', () => jsonText(NaN, 'a.json'), 'not-finite', 'file', 'a.json'],
  ['NaN', () => prepareMatrix(Float32Array.of(1, NaN), 1, 2, 'a'), 'matrix-not-finite', 'matrix', 'a'],
  [
    'states of other tokens',
    () => kernelAlignment(matrix('a', 5, 3), matrix('b', 4, 3)),
    'matrix-shape',
    'matrix',
    'b',
  ],
  [
    'states of another width',
    () => principalAngles(matrix('a', 5, 3), matrix('b', 5, 2)),
    'matrix-shape',
    'matrix',
    'b',
  ],
  ['components', () => readComponents('0'), 'option-out-of-range', 'option', 'components'],
  ['layers', () => readCutLayers('7', 6), 'option-out-of-range', 'option', 'layer'],
  ['a layer', () => pointOf(7, 6), 'option-out-of-range', 'option', 'layer'],
  ['views', () => readViews('most'), 'name-unknown', 'option', 'views'],
  ['runs', () => compareRuns([]), 'runs-missing', 'option', 'runs'],
])('%s: the error says what it is about', async (_, act, code, kind, name) => {
  const error = await Promise.resolve()
    .then(act)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LaminarError);
  expect(error).toMatchObject({ code, subject: { kind, name } });
});
