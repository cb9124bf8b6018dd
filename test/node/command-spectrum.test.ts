import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { measureNames } from '../../src/analysis/dimensions.ts';
import type { LayerReport } from '../../src/analysis/report.ts';
import type { MatrixViews } from '../../src/analysis/measures/measure-views.ts';
import { encodeHeader } from '../../src/engine/safetensors.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { matrixDifferences, readExpectedMeasures } from '../support/golden-measures.ts';
import { complaints } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);

interface Matrix extends LayerReport {
  readonly tensor: string | null;
  readonly rows: number;
  readonly columns: number;
  readonly singular_values: number[];
}

interface Answer extends Matrix {
  readonly layers: Matrix[];
}

const golden = fileURLToPath(new URL('../golden/gpt2-massive/expected.safetensors', import.meta.url));

/** A .npy file, format 1.0, of little-endian float64. */
function encodeNpy(shape: readonly number[], values: readonly number[]): Uint8Array {
  const header =
    `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117) + '\n';
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header, 'latin1'), Buffer.from(Float64Array.from(values).buffer)]);
}

it('gives the golden spectrum of every slice of a stack in a safetensors file', async () => {
  const flags = ['--tensor', 'a.hidden_states', '--threshold', '99', '--json'];
  const result = await laminarHere(['spectrum', golden, ...flags]);
  expect(complaints(result)).toBe('');
  expect(result.code).toBe(0);
  const answer = JSON.parse(result.stdout) as Answer;
  const { thresholds, sequences } = await readExpected('gpt2-massive');
  const [expected] = sequences;
  expect(Object.keys(answer)).toEqual(['tensor', 'rows', 'columns', 'layers']);
  expect(answer).toMatchObject({
    tensor: 'a.hidden_states',
    rows: expected!.rows,
    columns: expected!.columns,
  });
  expect(answer.layers.map(({ layer }) => layer)).toEqual(expected!.spectra.map((_, layer) => layer));
  expect(answer.layers.map(({ rank }) => rank)).toEqual(expected!.rank);
  const at = thresholds.indexOf(99);
  expect(answer.layers.map((layer) => layer.effective_dimension)).toEqual(
    expected!.effective.map((ofLayer) => ofLayer[at]),
  );
  for (const [index, { singular_values, rank_tolerance }] of answer.layers.entries()) {
    const reference = expected!.spectra[index]!;
    expect(singular_values).toHaveLength(reference.length);
    reference.forEach((value, component) => {
      const most = value > rank_tolerance ? 1e-5 * value : 2e-7 * reference[0]!;
      expect(Math.abs(singular_values[component]! - value)).toBeLessThanOrEqual(most);
    });
  }
});

it('measures a float64 matrix in a .npy file, and prints a table without --json', async () => {
  const cwd = await temporaryFolder();
  // Centred already, with orthogonal columns of norms 2√2 and √2: σ² = 8 and 2.
  await writeFile(join(cwd, 'cross.npy'), encodeNpy([4, 2], [2, 0, -2, 0, 0, 1, 0, -1]));
  const result = await laminarHere(['spectrum', 'cross.npy', '--threshold', '75', '--json'], { cwd });
  const answer = JSON.parse(result.stdout) as Answer;
  expect(Object.keys(answer)).toEqual([
    'tensor',
    'rows',
    'columns',
    'singular_values',
    'layer',
    ...measureNames,
  ]);
  expect(answer).toMatchObject({
    tensor: null,
    rows: 4,
    columns: 2,
    effective_dimension: 1,
    effective_index: 0,
    rank: 2,
    components: 2,
  });
  expect(answer.singular_values[0]).toBeCloseTo(Math.sqrt(8), 5);
  expect(answer.singular_values[1]).toBeCloseTo(Math.sqrt(2), 5);
  expect(answer.top_percent).toBeCloseTo(80, 3);
  expect(answer.participation_ratio).toBeCloseTo(100 / 68, 4);
  expect(answer.stable_rank).toBeCloseTo(1.25, 4);
  await rename(join(cwd, 'cross.npy'), join(cwd, 'cross'));
  const table = await laminarHere(['spectrum', 'cross'], { cwd });
  expect(table.stdout).toMatch(/^ +0 +2 +2 of 2 +100\.0 +80\.0/m);
});

it.each(['offset2_f8', 'small_f8'])(
  'measures %s, which float32 cannot hold, in its own units',
  async (name) => {
    const folder = new URL('../golden/arrays/', import.meta.url);
    const expected = JSON.parse(await readFile(new URL('expected.json', folder), 'utf8')) as Record<
      string,
      {
        relative_singular_values: number[];
        sigma1_log10: number;
        rank: number;
        effective_dimension_95: number;
      }
    >;
    const { relative_singular_values, sigma1_log10, rank, effective_dimension_95 } = expected[name]!;
    const result = await laminarHere(['spectrum', fileURLToPath(new URL(`${name}.npy`, folder)), '--json']);
    expect(complaints(result)).toBe('');
    const answer = JSON.parse(result.stdout) as Answer;
    const [largest] = answer.singular_values;
    expect(Math.log10(largest!)).toBeCloseTo(sigma1_log10, 5);
    expect(answer).toMatchObject({ rank, effective_dimension: effective_dimension_95 });
    expect(answer.rank_tolerance / largest!).toBeCloseTo(40 * 2 ** -23, 10);
    relative_singular_values.forEach((value, k) => {
      expect(Math.abs(answer.singular_values[k]! / largest! - value)).toBeLessThanOrEqual(1e-5 * value);
    });
  },
);

it('measures a dict of layers in natural order, each with its name and size, and says what it leaves out', async () => {
  const cwd = await temporaryFolder();
  const header = encodeHeader([
    { name: 'layer.10', dtype: 'F32', shape: [1, 2, 3] },
    { name: 'layer.2', dtype: 'F32', shape: [2, 2] },
    { name: 'ids', dtype: 'I64', shape: [2] },
  ]);
  const file = new Uint8Array(header.fileSize);
  file.set(header.bytes);
  const put = (name: string, values: number[]) => {
    file.set(new Uint8Array(Float32Array.from(values).buffer), header.tensors.get(name)!.offset);
  };
  put('layer.10', [0, 0, 0, 6, 0, 8]);
  put('layer.2', [1, 0, -1, 0]);
  await writeFile(join(cwd, 'states.safetensors'), file);
  const result = await laminarHere(['spectrum', 'states.safetensors', '--json'], { cwd });
  expect(result.code).toBe(0);
  expect(complaints(result)).toMatch(
    /^laminar: states\.safetensors: tensor ids is left out: it has shape \[2\].*$/,
  );
  const { tensor, rows, columns, layers } = JSON.parse(result.stdout) as Answer;
  expect({ tensor, rows, columns }).toEqual({ tensor: null, rows: 2, columns: null });
  expect(layers.map((layer) => [layer.tensor, layer.layer, layer.rows, layer.columns, layer.rank])).toEqual([
    ['layer.2', 0, 2, 2, 1],
    ['layer.10', 1, 2, 3, 1],
  ]);
  expect(layers[0]!.singular_values[0]).toBeCloseTo(Math.SQRT2, 5);
  expect(layers[1]!.singular_values[0]).toBeCloseTo(10 / Math.SQRT2, 4);
  const table = await laminarHere(['spectrum', 'states.safetensors', '--tensor', 'layer.*'], { cwd });
  expect(complaints(table)).toBe('');
  expect(table.stdout).toMatch(/^states\.safetensors, 2 tensors: matrices of several sizes;/);
  expect(table.stdout).toMatch(/^ layer\.2 +2 +2 +1 +1 of 2/m);
});

it('a file of several tensors is a wrong usage that lists them', async () => {
  const result = await laminarHere(['spectrum', golden]);
  expect(complaints(result)).toMatch(
    /^laminar: .*expected\.safetensors.*--tensor one of a\.hidden_states, a\.logits, /,
  );
  expect(result.code).toBe(2);
  const unknown = await laminarHere(['spectrum', golden, '--tensor', 'nope']);
  expect(complaints(unknown)).toMatch(/^laminar: --tensor nope: .*a\.hidden_states/);
  const flat = await laminarHere(['spectrum', golden, '--tensor', 'a.max_log_softmax']);
  expect(complaints(flat)).toMatch(/^laminar: .*a\.max_log_softmax: has shape \[61\]/);
  expect([unknown.code, flat.code]).toEqual([2, 2]);
});

const massive = fileURLToPath(new URL('../golden/measures/massive-first-token.npy', import.meta.url));

it('gives every measure of every view, beside what it gives without them', async () => {
  const flags = ['--measures', 'all', '--views', 'all,without-first,without-outliers,unit-rows'];
  const result = await laminarHere([
    'spectrum',
    massive,
    ...flags,
    '--without-dimensions',
    '13,70,40',
    '--json',
  ]);
  expect(complaints(result)).toBe('');
  const answer = JSON.parse(result.stdout) as Answer & MatrixViews;
  expect(Object.keys(answer)).toEqual([
    ...['tensor', 'rows', 'columns', 'singular_values', 'layer', ...measureNames],
    ...['outliers', 'tokens', 'listed_dimensions', 'thresholds', 'views'],
  ]);
  const { matrices } = await readExpectedMeasures();
  expect(matrixDifferences(answer, matrices['massive-first-token']!)).toEqual([]);
});

it('prints a row for every view, and a column for what is chosen', async () => {
  const flags = ['--measures', 'rank,twonn', '--views', 'all,without-outliers'];
  const result = await laminarHere(['spectrum', massive, ...flags]);
  expect(result.stdout).toMatch(/^slice +view +rank +points +TwoNN +Gride 1 /m);
  expect(result.stdout).toMatch(/^ +0 +all +96 +128 +10\.6/m);
  expect(result.stdout).toMatch(/^ +0 +without_outlier_dimensions +94 +128 +10\.6/m);
});

it('measures and dimensions that there are not are wrong usage', async () => {
  const unknown = await laminarHere(['spectrum', massive, '--measures', 'rank_me']);
  expect(complaints(unknown)).toMatch(/^laminar: --measures "rank_me" is not known; did you mean rankme\?/);
  const beyond = await laminarHere(['spectrum', massive, '--without-dimensions', '3,96']);
  expect(complaints(beyond)).toMatch(/^laminar: --without-dimensions 96: .*npy has 96 dimensions/);
  expect([unknown.code, beyond.code]).toEqual([2, 2]);
});

it('takes several files: a list of answers, or tables beneath each other', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'a.npy'), encodeNpy([3, 2], [1, 2, 3, 5, 8, 13]));
  await writeFile(join(folder, 'b.npy'), encodeNpy([2, 2, 2], [1, 2, 3, 5, 1, 0, 0, 1]));
  const { stdout } = await laminarHere(['spectrum', 'a.npy', 'b.npy', '--json'], { cwd: folder });
  const alone = await laminarHere(['spectrum', 'a.npy', '--json'], { cwd: folder });
  const [a, b] = JSON.parse(stdout) as (Answer & { file: string })[];
  expect(a).toEqual({ file: 'a.npy', ...(JSON.parse(alone.stdout) as Answer) });
  expect([b!.file, b!.layers.length]).toEqual(['b.npy', 2]);
  const broken = await laminarHere(['spectrum', 'a.npy', 'nowhere.npy'], { cwd: folder });
  expect(broken).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('nowhere.npy') as string,
  });
});
