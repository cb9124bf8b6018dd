import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { figures } from '../../src/analysis/figures.ts';
import { profileCsv } from '../../src/analysis/profile-csv.ts';
import type { Report } from '../../src/analysis/report.ts';
import { decodeFloats } from '../../src/engine/decode.ts';
import { bytesSource } from '../../src/engine/files.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { renderPng, renderSvg } from '../../src/node/render.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';
import { readGolden } from '../support/golden.ts';
import type { GoldenAnswers } from '../support/golden.ts';
import { describeWhatIsKept } from './kept-tests.ts';
import { sharedBrowser, Visit } from './open-page.ts';
import { PageServer } from './page-server.ts';

/** A bundled model, and a folder of shards; page-use.test.ts has the golden numbers of alice-pythia. */
const models = ['alice-gpt2', 'neox-bf16-sharded'] as const;

let server: PageServer;
let visit: Visit;
beforeAll(async () => {
  server = await PageServer.start();
  visit = await Visit.open(await sharedBrowser(), server);
});
afterAll(async () => {
  await visit.context.close();
  await server.stop();
});

async function chooseModel(name: (typeof models)[number]): Promise<void> {
  const isBundled = name.startsWith('alice-');
  await visit.page.locator('#model').selectOption(isBundled ? name : 'folder');
  if (!isBundled)
    await visit.page
      .locator('#folder')
      .setInputFiles(fileURLToPath(new URL(`../golden/${name}`, import.meta.url)));
}

/** Models on the golden ids, by the page; the numbers and files against Hugging Face's. */
describe.each(models)('%s', (name) => {
  let golden: GoldenAnswers;
  let report: Report;

  beforeAll(async () => {
    golden = await readGolden(name);
    const [first, second = first!] = golden.sequences;
    // A case of one sequence gives it twice.
    golden = {
      ...golden,
      sequences: [
        { ...first!, name: 'real' },
        { ...second, name: 'shuffled' },
      ],
    };
    await chooseModel(name);
    await visit.giveIds(Object.fromEntries(golden.sequences.map(({ name, ids }) => [name, [...ids]])));
    expect(await visit.run()).toBeUndefined();
    expect(await visit.status()).toBe('Done.');
    report = JSON.parse(String(await visit.download('report.json'))) as Report;
  });

  test('the table shows the golden effective dimensions and ranks', async () => {
    const at = golden.thresholds.indexOf(95);
    const rows = await visit.table();
    const columns = rows[0]!.length / 2;
    golden.sequences.forEach(({ effective, rank }, index) => {
      const shown = rows.map((cells) => cells.slice(index * columns, index * columns + 2).map(Number));
      expect(shown).toEqual(rank.map((ofLayer, layer) => [effective[layer]![at], ofLayer]));
    });
  });

  test('report.json and profile.csv hold them, too', async () => {
    for (const expected of golden.sequences) {
      const { max_log_softmax: found, unique_tokens: unique } = report.sequences[expected.name as 'real'];
      expect(largestDifference(Float32Array.from(found!.values), expected.maxLogSoftmax)).toBeLessThanOrEqual(
        1e-4,
      );
      expect(unique).toBe(expected.uniqueTokens);
    }
    expect(report.text).toBeNull();
    expect(report.model.id).toBe(name);
    expect(String(await visit.download('profile.csv'))).toBe(profileCsv(report));
  });

  test('spectra.safetensors holds the golden singular values', async () => {
    const spectra = await readTensors(await visit.download('spectra.safetensors'));
    for (const { name: sequence, singularValues } of golden.sequences) {
      const found = spectra.get(`${sequence}.singular_values`)!;
      const components = found.shape[1]!;
      found.values.forEach((value, index) => {
        const expected = singularValues[index]!;
        const largest = singularValues[index - (index % components)]!;
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(Math.max(1e-5 * expected, 2e-7 * largest));
      });
    }
  });

  test('states.safetensors holds the golden states of the real sequence', async () => {
    const states = await readTensors(await visit.download('states.safetensors'));
    const [real] = golden.sequences;
    const { shape, values } = states.get('hidden_states')!;
    const size = shape[1]! * shape[2]!;
    for (let layer = 0; layer < shape[0]!; layer++) {
      const range = [layer * size, (layer + 1) * size] as const;
      const distance = relativeDistance(values.subarray(...range), real!.hiddenStates.subarray(...range));
      expect(distance).toBeLessThanOrEqual(1e-6 * (layer + 4));
    }
    expect([...states.keys()].sort()).toEqual([
      'argmax',
      'hidden_states',
      'ids',
      'max_log_softmax',
      'residual_final',
    ]);
    await visit.end();
  });

  test('figures are the files that the command draws, to the byte', async () => {
    const spectra = await readTensors(await visit.download('spectra.safetensors'));
    const rowsOf = (sequence: string) => {
      const { shape, values } = spectra.get(`${sequence}.singular_values`)!;
      return Array.from({ length: shape[0]! }, (_, row) =>
        values.subarray(row * shape[1]!, (row + 1) * shape[1]!),
      );
    };
    const drawn = figures(report, { real: rowsOf('real'), shuffled: rowsOf('shuffled') });
    const shown = await visit.page.locator('#figures figure').all();
    expect(shown).toHaveLength(drawn.length);
    for (const [index, { title, specification }] of drawn.entries()) {
      const figure = shown[index]!;
      expect(await figure.locator('h3').textContent()).toBe(title);
      const svg = await renderSvg(specification);
      const drawnByPage = String(await visit.download(figure.getByRole('button', { name: 'SVG' })));
      expect(drawnByPage === svg, `${title}: the page's SVG is the command's`).toBe(true);
      // PNGs are made of the SVGs: the pixels of two are enough, one of them with a second axis.
      if (name !== 'alice-gpt2' || (index > 0 && index < drawn.length - 1)) continue;
      const png = await visit.download(figure.getByRole('button', { name: 'PNG' }));
      expect(png.equals(renderPng(svg)), `${title}: the page's PNG is the command's`).toBe(true);
    }
  });

  test('nothing was asked of another host, and nothing complained', () => {
    expect(visit.complaints).toEqual([]);
    expect(visit.requests.filter((address) => !/^(blob:)?http:\/\/127\.0\.0\.1/.test(address))).toEqual([]);
  });
});

// Another page would compile every kernel again.
describeWhatIsKept(() => ({ visit, server }));

async function readTensors(
  file: Buffer,
): Promise<Map<string, { shape: readonly number[]; values: Float32Array }>> {
  const { tensors } = await readHeader(bytesSource('download', file));
  return new Map(
    [...tensors].map(([name, { dtype, shape, offset, bytes }]) => {
      const content = file.subarray(offset, offset + bytes);
      // Ids are whole numbers below 2^24: as float32 they are themselves.
      const values =
        dtype === 'I32'
          ? Float32Array.from(new Int32Array(new Uint8Array(content).buffer))
          : decodeFloats(dtype, content, name);
      return [name, { shape, values }];
    }),
  );
}
