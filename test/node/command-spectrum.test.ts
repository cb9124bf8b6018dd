import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { measureNames } from '../../src/analysis/report.ts';
import type { LayerReport } from '../../src/analysis/report.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { complaints, laminar } from './run-command.ts';
import { temporaryFolder } from './temporary-folder.ts';

interface Answer extends LayerReport {
  readonly tensor: string | null;
  readonly rows: number;
  readonly columns: number;
  readonly singular_values: number[];
  readonly layers: (LayerReport & { singular_values: number[] })[];
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
  const result = await laminar(['spectrum', golden, ...flags]);
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
  const result = await laminar(['spectrum', 'cross.npy', '--threshold', '75', '--json'], { cwd });
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
  const table = await laminar(['spectrum', 'cross'], { cwd });
  expect(table.stdout).toMatch(/^ +0 +2 +2 of 2 +100\.0 +80\.0/m);
});

it('a file of several tensors is a wrong usage that lists them', async () => {
  const result = await laminar(['spectrum', golden]);
  expect(complaints(result)).toMatch(
    /^laminar: .*expected\.safetensors.*--tensor.*a\.hidden_states, a\.ids, a\.logits/,
  );
  expect(result.code).toBe(2);
  const unknown = await laminar(['spectrum', golden, '--tensor', 'nope']);
  expect(complaints(unknown)).toMatch(/^laminar: --tensor nope: .*a\.hidden_states/);
  const flat = await laminar(['spectrum', golden, '--tensor', 'a.max_log_softmax']);
  expect(complaints(flat)).toMatch(/^laminar: .*a\.max_log_softmax: has shape \[61\]/);
  expect([unknown.code, flat.code]).toEqual([2, 2]);
});
