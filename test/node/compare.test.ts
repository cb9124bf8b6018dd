import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportJson, spectraTensors } from '../../src/analysis/output-files.ts';
import { SafetensorsWriter } from '../../src/node/safetensors-writer.ts';
import { makeReport } from '../support/report-fixture.ts';
import { laminarHere } from './run-here.ts';

const spectra = [Float32Array.of(4, 3, 2), Float32Array.of(5, 1, 0)];
const sequence = { ids: [5, 7, 5], maxLogSoftmax: [-1, -0.5, -0.25], spectra };

/** A folder as `profile` leaves it, without figures. */
async function writeRun(folder: string, id: string, threshold: number, hasSpectra = true): Promise<string> {
  await mkdir(folder, { recursive: true });
  const report = makeReport(sequence, sequence, 4, { model: { id }, threshold });
  await writeFile(join(folder, 'report.json'), reportJson(report));
  if (!hasSpectra) return folder;
  const tensors = spectraTensors({ real: spectra, shuffled: spectra });
  const writer = await SafetensorsWriter.create(join(folder, 'spectra.safetensors'), tensors);
  for (const { name, rows } of tensors)
    for (const row of rows) await writer.append(name, Float32Array.from(row));
  await writer.commit();
  return folder;
}

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'laminar-test-'));
  await writeRun(join(cwd, 'out/a'), 'a', 95);
  await writeRun(join(cwd, 'out/b'), 'b', 80);
  await writeRun(join(cwd, 'bare'), 'a', 95, false);
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

const compare = (...args: string[]) => laminarHere(['compare', ...args], { cwd });

describe('laminar compare', () => {
  it('writes one table and figures, and says what the runs are', async () => {
    const args = ['out/a', 'out/b/report.json', '--out', 'both', '--sequence', 'real'];
    const { code, stdout, stderr } = await compare(...args, '--measure', 'rank,effective_dimension');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('thresholds differ') as string,
    });
    expect(stdout).toContain('the same in all: alice.txt, 3 tokens\n');
    expect(stdout).toMatch(/a · threshold 95% +real +1 /);
    expect((await readdir(join(cwd, 'both/figures'))).sort()).toEqual(
      ['effective-dimension', 'rank'].flatMap((name) => [`${name}.png`, `${name}.svg`]),
    );
    const svg = await readFile(join(cwd, 'both/figures/rank.svg'), 'utf8');
    expect(svg).toContain('b · threshold 80%');

    // A later comparison in the same folder leaves none of the former's figures.
    await compare('out/a', '--out', 'both', '--measure', 'rank');
    expect((await readdir(join(cwd, 'both/figures'))).sort()).toEqual(['rank.png', 'rank.svg']);
    const csv = await readFile(join(cwd, 'both/compare.csv'), 'utf8');
    expect(csv.trimEnd().split('\n')).toHaveLength(5);
  });

  it('computes effective dimensions anew at another threshold', async () => {
    const { stdout, stderr } = await compare('out/a', 'out/b', '--threshold', '80', '--json');
    expect(stderr).toBe('');
    const { rows, runs } = JSON.parse(stdout) as {
      rows: { run: string; effective_dimension: number; threshold: number }[];
      runs: unknown[];
    };
    expect(runs).toEqual([
      { run: 'a', source: 'out/a' },
      { run: 'b', source: 'out/b' },
    ]);
    expect(rows.map((row) => [row.run, row.effective_dimension, row.threshold])).toEqual(
      ['a', 'a', 'b', 'b'].flatMap((run) => [
        [run, 2, 80],
        [run, 1, 80],
      ]),
    );
  });

  it.each<[string[], number, RegExp]>([
    [['out'], 1, /^laminar: out: has no report\.json; .*; is out[\\/]a out[\\/]b meant\?$/m],
    [['nowhere'], 1, /nowhere: cannot open the run: no such file/],
    [['bare', '--threshold', '80'], 1, /bare[\\/]spectra\.safetensors: is not there, and --threshold needs/],
    [['out/a', '--sequence', 'block'], 2, /sequence block: no run has it; known are real, shuffled/],
    [['out/a', '--x', 'deep'], 2, /Allowed choices are layer, depth/],
  ])('says what is wrong with %j', async (args, code, message) => {
    const result = await compare(...args, '--json');
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) as string });
  });

  it('needs a place for its files, and takes no folder of a run', async () => {
    expect(await compare('out/a')).toMatchObject({ code: 2, stderr: /--out is missing/ });
    const into = await compare('out/a', '--out', 'out/b');
    expect(into.stderr).toContain('out/b: holds the report of a run; give another folder to --out');
  });
});
