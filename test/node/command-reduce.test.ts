import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import type { ReductionReport } from '../../src/analysis/reduction/report.ts';
import { readActivations } from '../support/golden-activations.ts';
import { readReductions } from '../support/golden-reductions.ts';
import { complaints } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);

const model = fileURLToPath(new URL('../golden/activations/gpt2-plain', import.meta.url));

it('laminar reduce writes report, tables and figures of the golden cuts, and keeps them apart', async () => {
  const folder = await temporaryFolder();
  const { ids } = await readActivations('gpt2-plain');
  const { sequences } = await readReductions('gpt2-plain');
  const pair = { real: Array.from(ids[0]!), shuffled: Array.from(ids[0]!).reverse() };
  await writeFile(join(folder, 'ids.json'), JSON.stringify(pair));
  const common = ['reduce', model, '--ids', 'ids.json', '--layer', '1-2,residual_final'];
  const args = [...common, '--components', '1,95%', '--shuffled', '--out', 'cuts'];
  const result = await laminarHere(args, { cwd: folder });
  expect(complaints(result)).toBe('');
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/^real text, loss \d+\.\d{4} without a cut:$/m);
  expect(result.stdout).toMatch(/^residual_final +95% +10 +95\.\d +\d/m);

  expect((await readdir(join(folder, 'cuts'))).sort()).toEqual(
    ['figures', 'reduce.csv', 'report.json', 'state-changes.csv'].sort(),
  );
  expect((await readdir(join(folder, 'cuts', 'figures'))).sort()).toEqual(
    ['kl', 'loss', 'state-changes']
      .flatMap((name) => [name, `${name}-shuffled`])
      .flatMap((name) => [`${name}.png`, `${name}.svg`])
      .sort(),
  );
  const read = async (name: string) => readFile(join(folder, 'cuts', name), 'utf8');
  const report = JSON.parse(await read('report.json')) as ReductionReport;
  expect(report.reduction).toEqual({ layers: [1, 2, 'residual_final'], components: [1, '95%'] });
  expect(Object.keys(report.sequences)).toEqual(['real', 'shuffled']);
  for (const { layer, asked, components, loss, logits, states } of report.sequences.real.cuts) {
    const block = layer === 'residual_final' ? 2 : layer - 1;
    const expected = sequences.a!.layers[block]![asked === 1 ? 'r1' : 'r95'];
    expect(components).toBe(expected.r);
    expect(loss!.mean).toBeCloseTo(expected.mean_loss, 4);
    expect(loss!.change).toBeCloseTo(expected.mean_loss - sequences.a!.clean_mean_loss, 4);
    expect(logits!.kl.values).toHaveLength(ids[0]!.length);
    expect(states.at(-2)!.relative_change).toBeCloseTo(
      expected.relative_delta_of_resid_post_from_this_layer_on.at(-1)!,
      5,
    );
  }
  const rows = (await read('reduce.csv'))
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  expect(rows).toHaveLength(1 + 2 * 3 * 2);
  expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  const changes = (await read('state-changes.csv')).trim().split('\n');
  // A cut of layer 1 shows in states 1, 2, the final residual and 3; and so on.
  expect(changes).toHaveLength(1 + 2 * 2 * (4 + 3 + 2));

  // The same run again is welcome there, another one is not, and a plan writes nothing.
  const other = await laminarHere([...args, '--seed', '1'], { cwd: folder });
  expect(other.stderr).toMatch(/cuts: holds the report of another run; give --out FOLDER .* or --force/);
  expect(other.code).toBe(1);
  const plan = await laminarHere([...common, '--plan', '--json', '--gpu-memory', '200kB'], { cwd: folder });
  const { passes, cuts, fits, operations, ...bytes } = JSON.parse(plan.stdout) as {
    operations: { forward: number; cuts: number };
    host_bytes: number;
    read_bytes: number;
    passes: { start: number; cuts: number }[];
    cuts: number;
    fits: boolean;
  };
  expect([cuts, passes.reduce((sum, pass) => sum + pass.cuts, 0)]).toEqual([3, 3]);
  expect(passes.map(({ start }) => start)).toEqual([0, 2, 3]);
  expect(fits).toBe(false);
  expect(Math.min(operations.forward, operations.cuts, bytes.host_bytes, bytes.read_bytes)).toBeGreaterThan(
    0,
  );
  expect((await readdir(folder)).sort()).toEqual(['cuts', 'ids.json']);
});

it.each([
  [
    ['--layer', '4'],
    /--layer "4": "4" is not a state of this model; give numbers from 0, the embedding, to 3/,
  ],
  [['--layer', '2-1'], /is not a state of this model/],
  [['--components', '0'], /--components "0" is not a number of components/],
  [['--components', '100%'], /between 0% and 100%, such as 95%/],
])('laminar reduce %j is refused by name', async (flags, message) => {
  const result = await laminarHere(['reduce', model, '--ids', 'nothing.json', ...flags]);
  expect(result.stderr).toMatch(message);
  expect(result.code).toBe(2);
});
