import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MeasuredView } from '../../src/analysis/measures/measure-views.ts';
import type { LayerReport, Report, ViewLayerReport } from '../../src/analysis/report.ts';
import { decodeFloats } from '../../src/engine/decode.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { openFile } from '../../src/node/files.ts';
import { goldenFiles } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { readExpectedSequences } from '../support/golden-measures.ts';
import { useTinyPngs } from '../support/tiny-pngs.ts';
import { complaints } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);

/** A model for what does not depend on it: 3 layers of width 48. */
const small = fileURLToPath(new URL('../golden/activations/gpt2-plain', import.meta.url));

/** Runs a model on the golden ids, as given, with `extra` flags; reads back what it wrote. */
async function profileGolden(model: GoldenCase, extra: readonly string[]) {
  const folder = await temporaryFolder();
  const { sequences } = await readExpected(model);
  const [real, shuffled] = sequences.map(({ ids }) => Array.from(ids));
  const ids = { real, shuffled: shuffled ?? real!.toReversed() };
  await writeFile(join(folder, 'ids.json'), JSON.stringify(ids));
  // The weights that the answers were made from; a folder of a bundled model's name comes before the bundled model.
  await mkdir(join(folder, model));
  for (const name of ['config.json', 'model.safetensors']) {
    const source = (await goldenFiles(model).open(name))!;
    await writeFile(join(folder, model, name), await source.read(0, source.size));
  }
  const result = await laminarHere(['profile', model, '--ids', 'ids.json', ...extra], { cwd: folder });
  expect(complaints(result)).toBe('');
  expect(result.code).toBe(0);
  return { folder, result };
}

async function readSpectra(
  path: string,
): Promise<Map<string, { shape: readonly number[]; values: Float32Array }>> {
  const source = await openFile(path);
  try {
    const spectra = new Map<string, { shape: readonly number[]; values: Float32Array }>();
    for (const [name, { dtype, shape, offset, bytes }] of (await readHeader(source)).tensors) {
      spectra.set(name, { shape, values: decodeFloats(dtype, await source.read(offset, bytes), name) });
    }
    return spectra;
  } finally {
    await source.close();
  }
}

/** What --plan --json prints, as far as tests look at it. */
interface PrintedPlan {
  readonly tokens: number;
  readonly operations: Readonly<Record<'forward' | 'spectrum' | 'measures', number>>;
}

/** Holds report.json and spectra.safetensors in `folder` against the golden answers. */
async function expectGolden(folder: string, model: string): Promise<Report> {
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Report;
  const spectra = await readSpectra(join(folder, 'spectra.safetensors'));
  const { thresholds, sequences } = await readExpected(model);
  const at = thresholds.indexOf(report.threshold);
  expect(at).toBeGreaterThanOrEqual(0);
  for (const [index, expected] of sequences.entries()) {
    const name = (['real', 'shuffled'] as const)[index]!;
    const found = report.sequences[name];
    expect(found.ids).toEqual(Array.from(expected.ids));
    expect(found.unique_tokens).toBe(expected.uniqueTokens);
    expect(found.max_log_softmax!.mean).toBeCloseTo(expected.meanMaxLogSoftmax, 4);
    // No token is likelier than the likeliest.
    expect(found.loss!.values).toHaveLength(found.ids.length - 1);
    found.loss!.values.forEach((loss, position) => {
      expect(loss).toBeGreaterThan(-found.max_log_softmax!.values[position]! - 1e-4);
    });
    found.max_log_softmax!.values.forEach((value, position) => {
      expect(Math.abs(value - expected.maxLogSoftmax[position]!)).toBeLessThanOrEqual(1e-4);
    });
    expect(found.layers.map(({ effective_dimension }) => effective_dimension)).toEqual(
      expected.effective.map((ofLayer) => ofLayer[at]),
    );
    expect(found.layers.map(({ rank }) => rank)).toEqual(expected.rank);
    const { shape, values } = spectra.get(`${name}.singular_values`)!;
    const components = Math.min(expected.rows, expected.columns);
    expect(shape).toEqual([expected.spectra.length, components]);
    // The golden values are of PyTorch's own states, from which ours may differ: states set the tolerance here.
    for (const [layer, reference] of expected.spectra.entries()) {
      const most = reference[0]! * 1e-6 * (layer + 4);
      reference.forEach((value, index) => {
        expect(Math.abs(values[layer * components + index]! - value)).toBeLessThanOrEqual(most);
      });
    }
  }
  return report;
}

/** Holds the layers' diagnostics, and the view without the first token, against the golden answers of measures. */
async function expectMeasures(folder: string, report: Report, threshold: number): Promise<void> {
  expect(report.measured).toEqual({
    measures: ['rankme'],
    views: ['without_first_token'],
    without_dimensions: [],
  });
  const { sequences } = await readExpectedSequences();
  const spectra = await readSpectra(join(folder, 'spectra.safetensors'));
  for (const name of ['real', 'shuffled'] as const) {
    const { layers, views } = report.sequences[name];
    const ofView = spectra.get(`${name}.without_first_token.singular_values`)!;
    expect(ofView.shape).toEqual([7, 128]);
    sequences[name].forEach((expected, layer) => {
      const all = expected.views.all as MeasuredView;
      const first = expected.views.without_first_token as MeasuredView;
      const found = layers[layer]!;
      const without = views!.without_first_token!.layers[layer] as ViewLayerReport & LayerReport;
      expect(found.tokens!.max_token).toBe(expected.tokens.max_token);
      for (const key of ['first', 'median', 'max'] as const)
        expect(found.tokens![key] / expected.tokens[key]).toBeCloseTo(1, 4);
      expect(found.component_1!.share).toBeCloseTo(all.component_1!.share, 5);
      for (const list of ['tokens', 'dimensions'] as const) {
        found.component_1![list].forEach(({ share }, place) => {
          expect(share).toBeCloseTo(all.component_1![list][place]!.share, 4);
        });
      }
      expect(found.first_token_share).toBeCloseTo(all.first_token_share!, 5);
      expect(found.rankme! / all.rankme!).toBeCloseTo(1, 3);
      expect(without).toMatchObject({ layer, rows: 255, first_token_share: null });
      expect(without.effective_dimension).toBe(first.effective_dimension![threshold]);
      expect(without.rankme! / first.rankme!).toBeCloseTo(1, 3);
      const golden = first.singular_values!;
      golden.forEach((value, index) => {
        const difference = Math.abs(ofView.values[128 * layer + index]! - value);
        expect(difference).toBeLessThanOrEqual(golden[0]! * 1e-6 * (layer + 4));
      });
    });
  }
}

/** Holds the files of a run of many sequences against each other. */
async function expectMany(folder: string, report: Report): Promise<void> {
  expect(report.sampling).toEqual({ shuffles: 2, shuffle_blocks: [1, 4], windows: 2 });
  const names = ['real', 'shuffled', 'shuffled_2', 'block_4_1', 'block_4_2', 'window_2'];
  expect(Object.keys(report.sequences)).toEqual(names);
  expect(Object.entries(report.bands!).map(([name, { sequences }]) => [name, sequences])).toEqual([
    ['shuffled', ['shuffled', 'shuffled_2']],
    ['block_1', ['shuffled', 'shuffled_2']],
    ['block_4', ['block_4_1', 'block_4_2']],
    ['window', ['real', 'window_2']],
  ]);
  const table = (await readFile(join(folder, 'profile.csv'), 'utf8')).trimEnd().split('\n');
  const header = table[0]!.split(',');
  const chosen = ['sequence', 'layer', 'kind', 'block', 'window_start', 'seed'].map((name) =>
    header.indexOf(name),
  );
  const rows = table.slice(1).map((line) => line.split(','));
  expect(rows).toHaveLength(names.length * 7);
  const start = report.sequences['window_2']!.start!;
  expect(
    rows.filter((row) => row[1] === '3').map((row) => chosen.map((column) => row[column]).join()),
  ).toEqual([
    'real,3,real,,28517,27',
    'shuffled,3,shuffled,1,28517,27',
    'shuffled_2,3,shuffled,1,28517,28',
    'block_4_1,3,block,4,28517,27',
    'block_4_2,3,block,4,28517,28',
    `window_2,3,window,,${start},27`,
  ]);
  const spectra = await readSpectra(join(folder, 'spectra.safetensors'));
  expect([...spectra].map(([name, { shape }]) => [name, shape])).toEqual(
    names.map((name) => [`${name}.singular_values`, [7, 9]]),
  );
}

describe('laminar profile', () => {
  it('writes what DESIGN names, equal to the golden answers, with a table on stdout', async () => {
    const { folder, result } = await profileGolden('gpt2-prefix-f32', []);
    const out = join(folder, 'out', 'gpt2-prefix-f32-ids-ids');
    const report = await expectGolden(out, 'gpt2-prefix-f32');
    expect(report.text).toBeNull();
    expect(report.seed).toBe(28);
    expect(report.model).toMatchObject({
      id: 'gpt2-prefix-f32',
      architecture: 'gpt2',
      layers: 3,
      width: 48,
      heads: 3,
      vocabulary: 307,
      context: 64,
      parameters: 102_720,
      dtype: 'F32',
      revision: null,
    });
    const { load, forward, spectrum, total } = report.timings_ms;
    for (const part of [load, forward, spectrum]) expect(part).toBeGreaterThan(0);
    expect(total).toBeGreaterThanOrEqual(load + forward + spectrum);

    const rows = (await readFile(join(out, 'profile.csv'), 'utf8')).trimEnd().split('\n');
    expect(rows).toHaveLength(1 + 2 * 4);
    expect(rows[0]).toMatch(/^sequence,layer,effective_dimension,effective_index,rank,/);
    const real = report.sequences.real.layers;
    expect(rows[1]).toMatch(
      new RegExp(`^real,0,${real[0]!.effective_dimension},${real[0]!.effective_index},`),
    );
    for (const { layer, effective_dimension, rank } of real) {
      expect(result.stdout).toMatch(new RegExp(`^ +${layer} +${effective_dimension} +${rank} `, 'm'));
    }

    const names = (await readdir(join(out, 'figures'))).sort();
    expect(names).toEqual(
      [
        'cumulative',
        'effective-dimension',
        'max-log-softmax',
        'percent-variance',
        'rank',
        'singular-values',
      ].flatMap((name) => [`${name}.png`, `${name}.svg`]),
    );
    for (const name of names) {
      const start = (await readFile(join(out, 'figures', name))).subarray(0, 4).toString('latin1');
      expect(start).toBe(name.endsWith('.png') ? '\x89PNG' : '<svg');
    }
    expect((await readdir(out)).sort()).toEqual([
      'figures',
      'profile.csv',
      'report.json',
      'spectra.safetensors',
      'tokens-real.html',
      'tokens-shuffled.html',
    ]);
    expect(result.stdout).toMatch(
      /^\d+ components explain more than 95% of the variance at layer 1 of the text\.$/m,
    );
    expect(result.stdout).toMatch(/^The window has \d+ unique tokens of 33\.$/m);
    const page = await readFile(join(out, 'tokens-real.html'), 'utf8');
    expect(page.match(/<span style="--sure:[\d.]+" title=/g)).toHaveLength(33);
  });

  it('prints report.json and nothing else with --json, for alice-pythia at another threshold', async () => {
    useTinyPngs();
    const views = ['--measures', 'rankme', '--views', 'without-first', '--wide', '--layer', '2'];
    const extra = ['--json', '--threshold', '90', '--out', 'there', ...views];
    const { folder, result } = await profileGolden('alice-pythia', extra);
    const report = await expectGolden(join(folder, 'there'), 'alice-pythia');
    expect(JSON.parse(result.stdout)).toEqual(report);
    const figure = await readFile(join(folder, 'there', 'figures', 'percent-variance.svg'), 'utf8');
    expect(figure).toContain('Variance of each component of layer 2');
    expect(report.threshold).toBe(90);
    expect(report.model).toMatchObject({
      architecture: 'gpt_neox',
      parameters: 1_714_176,
      dtype: 'F16',
    });
    const { thresholds } = await readExpected('alice-pythia');
    await expectMeasures(join(folder, 'there'), report, thresholds.indexOf(90));
    const csv = (await readFile(join(folder, 'there', 'profile.csv'), 'utf8')).trimEnd().split('\n');
    expect(csv).toHaveLength(1 + 2 * 2 * 7);
    const refused = await laminarHere(
      ['profile', 'alice-pythia', '--ids', 'ids.json', '--out', 'there', '--threshold', '90'],
      { cwd: folder },
    );
    expect(complaints(refused)).toMatch(/holds the report of another run \(measures rankme, not none\)/);
  });

  it('takes the window from the middle of the bundled text and shuffles it by the seed', async () => {
    useTinyPngs();
    const folder = await temporaryFolder();
    const run = async (...extra: string[]): Promise<Report> => {
      const result = await laminarHere(['profile', '--tokens', '9', '--json', ...extra], { cwd: folder });
      expect(complaints(result)).toBe('');
      return JSON.parse(result.stdout) as Report;
    };
    const report = await run();
    const text = await readFile(new URL('../../weights/text/alice.txt', import.meta.url));
    const digest = await crypto.subtle.digest('SHA-256', text);
    expect(report.model.id).toBe('alice-gpt2');
    expect(report.text).toEqual({
      source: 'weights/text/alice.txt',
      sha256: Buffer.from(digest).toString('hex'),
      tokens: report.text!.tokens,
      start: Math.floor(report.text!.tokens / 2),
      length: 9,
      preview: { first: expect.stringMatching(/^.{9,80}$/s), last: report.text!.preview.first },
    });
    const { real, shuffled } = report.sequences;
    const [golden] = (await readExpected('alice-gpt2')).sequences;
    expect(real.ids).toEqual(Array.from(golden!.ids.subarray(0, 9)));
    expect(shuffled.ids).not.toEqual(real.ids);
    expect([...shuffled.ids].sort()).toEqual([...real.ids].sort());

    const more = ['--shuffles', '2', '--shuffle-blocks', '1,4', '--windows', '2'];
    const other = await run('--seed', '27', '--start', String(report.text!.start), ...more);
    const many = 'alice-gpt2-start-28517-tokens-9-seed-27-shuffles-2-blocks-1-4-windows-2';
    expect((await readdir(join(folder, 'out'))).sort()).toEqual([many, 'alice-gpt2-tokens-9']);
    await expectMany(join(folder, 'out', many), other);
    expect(other.sequences.real.ids).toEqual(real.ids);
    expect(other.sequences.shuffled.ids).not.toEqual(shuffled.ids);
    // Its second shuffle has the first run's seed; each sequence is measured as if it ran alone.
    expect(other.sequences['shuffled_2']!.ids).toEqual(shuffled.ids);
    expect(other.sequences['shuffled_2']!.layers).toEqual(shuffled.layers);
    const refused = await laminarHere(
      ['profile', '--tokens', '9', '--shuffles', '3', '--out', `out/${many}`],
      {
        cwd: folder,
      },
    );
    expect(complaints(refused)).toMatch(/another run \(seed 27, not 28\)/);
  });

  it('repeats a run in its folder, and overwrites the report of another run with --force alone', async () => {
    useTinyPngs();
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'ids.json'), '[1, 2, 3]');
    const run = (...extra: string[]) =>
      laminarHere(['profile', small, '--ids', 'ids.json', '--out', 'there', ...extra], { cwd });
    const seedOf = async () =>
      (JSON.parse(await readFile(join(cwd, 'there', 'report.json'), 'utf8')) as Report).seed;
    for (let repeat = 0; repeat < 2; repeat += 1) expect((await run()).code).toBe(0);
    const refused = await run('--seed', '29');
    expect(complaints(refused)).toBe(
      'laminar: there: holds the report of another run (seed 28, not 29); give --out FOLDER to keep both, or --force to overwrite it',
    );
    expect([refused.code, refused.stdout, await seedOf()]).toEqual([1, '', 28]);
    const forced = await run('--seed', '29', '--force');
    expect([complaints(forced), forced.code, await seedOf()]).toEqual(['', 0, 29]);
  });

  it('--plan says what a run would need, and does not run', async () => {
    const cwd = await temporaryFolder();
    const { code, stdout } = await laminarHere(['profile', '--plan'], { cwd });
    expect(stdout).toMatch(/^alice-gpt2, 256 tokens, on .+; at most:\n\n +weights {2}5\.\d+ MB +stay\n/);
    expect(stdout).toMatch(/^GPU buffers .+ at least /m);
    expect(code).toBe(0);
    expect(await readdir(cwd)).toEqual([]);
    await writeFile(join(cwd, 'short.txt'), 'The White Rabbit was late.');
    const options = ['--json', '--gpu-memory', '1MB', '--text', 'short.txt'];
    const bounded = await laminarHere(['profile', '--plan', ...options], { cwd });
    const plan = JSON.parse(bounded.stdout) as PrintedPlan;
    expect(plan).toMatchObject({ gpu_memory_limit: 1e6, fits: false });
    expect(bounded.stderr).toContain(
      `laminar: short.txt has ${plan.tokens} tokens, fewer than the model's context of 256; all of it is taken\n`,
    );

    // What is asked for beside the usual costs its own work alone.
    const views = ['--views', 'all,without-first,unit-rows', '--measures', 'all'];
    const more = ['--shuffles', '9', '--shuffle-blocks', '1,4', ...views];
    const asked = await laminarHere(['profile', '--plan', '--json', '--text', 'short.txt', ...more], { cwd });
    const large = JSON.parse(asked.stdout) as PrintedPlan;
    expect(large).toMatchObject({ sequences: 19, sequences_at_once: 19, batches: 1 });
    expect(large.operations.forward / plan.operations.forward).toBeCloseTo(19 / 2, 6);
    expect(large.operations.spectrum / plan.operations.spectrum).toBeCloseTo(19 / 2, 6);
    expect(large.operations.measures).toBeGreaterThan(2 * large.operations.spectrum);
  });
});

it('measures named activations as it does states, with a layer axis for each hook', async () => {
  useTinyPngs();
  const folder = await temporaryFolder();
  await writeFile(
    join(folder, 'ids.json'),
    JSON.stringify({ real: [3, 1, 4, 1, 5, 9, 2, 6], shuffled: [5, 9, 2, 6, 3, 1, 4, 1] }),
  );
  const at = ['--at', 'blocks.*.attn.hook_z', 'blocks.*.hook_mlp_out', '--at', 'hook_embed'];
  const result = await laminarHere(['profile', small, '--ids', 'ids.json', ...at], { cwd: folder });
  expect(complaints(result)).toBe('');
  expect(result.code).toBe(0);
  const made = join(folder, 'out/gpt2-plain-ids-ids-at-blocks.-.attn.hook_z-blocks.-.hook_mlp_o');
  const report = JSON.parse(await readFile(join(made, 'report.json'), 'utf8')) as Report;
  const spectra = await readSpectra(join(made, 'spectra.safetensors'));
  for (const name of ['real', 'shuffled'] as const) {
    const hooks = report.sequences[name].hooks!;
    expect(Object.keys(hooks).sort()).toEqual([
      'blocks.*.attn.hook_z',
      'blocks.*.hook_mlp_out',
      'hook_embed',
    ]);
    expect(hooks['blocks.*.attn.hook_z']!.map(({ layer, name: hook }) => [layer, hook])).toEqual(
      [0, 1, 2].map((layer) => [layer, `blocks.${layer}.attn.hook_z`]),
    );
    const [embedding] = hooks['hook_embed']!;
    expect([embedding!.layer, embedding!.columns]).toEqual([null, 48]);
    expect(spectra.get(`${name}.blocks.*.hook_mlp_out.singular_values`)!.shape).toEqual([3, 8]);
  }
  expect(result.stdout).toMatch(/\nblocks\.\*\.hook_mlp_out\n/);
  // Another run's folder: the same but for what is measured.
  const other = await laminarHere(['profile', small, '--ids', 'ids.json', '--out', made], { cwd: folder });
  expect(other.code).toBe(1);
  expect(other.stderr).toMatch(/activations blocks\.\*\.attn\.hook_z .*hook_embed, not none/);
  const plan = await laminarHere(['profile', small, '--ids', 'ids.json', '--plan', '--json', ...at], {
    cwd: folder,
  });
  const { gpu_bytes } = JSON.parse(plan.stdout) as { gpu_bytes: { hooks: number } };
  expect(gpu_bytes.hooks).toBeGreaterThanOrEqual(2 * 4 * 8 * 48);
});
