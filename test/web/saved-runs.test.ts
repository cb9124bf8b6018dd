import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bundledModels, defaultText } from '../../src/analysis/bundled.ts';
import { laminarVersion, profileDefaults, sequenceNames } from '../../src/analysis/report.ts';
import { reportFigures } from '../../src/analysis/figures.ts';
import { shuffleTokens } from '../../src/analysis/shuffle.ts';
import { tokenPieces } from '../../src/analysis/token-pieces.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import { largestDifference } from '../support/distance.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { goldenFiles } from '../support/golden.ts';
import { readRun } from '../../src/web/page-run.ts';
import { readSaved } from './read-saved.ts';

/** What the page shows before a run: the golden answers hold for it, too. */
test.each(bundledModels)('the saved run of %s holds the golden numbers', async (name) => {
  const { report, spectra, texts } = await readSaved(name);
  const { real, shuffled } = report.sequences;
  const { sequences, thresholds } = await readExpected(name);
  const golden = sequences.find((sequence) => sequence.name === 'real')!;
  const at = thresholds.indexOf(report.threshold);

  expect(report).toMatchObject({ laminar: laminarVersion, ...profileDefaults, model: { id: name } });
  const text = await readFile(defaultText);
  expect(report.text).toMatchObject({
    source: defaultText,
    sha256: createHash('sha256').update(text).digest('hex'),
  });
  expect(real.ids).toEqual([...golden.ids]);
  expect(shuffled.ids).toEqual([...shuffleTokens(golden.ids, report.seed)]);
  expect(real.layers.map((layer) => [layer.effective_dimension, layer.rank])).toEqual(
    golden.rank.map((rank, layer) => [golden.effective[layer]![at], rank]),
  );
  const softmax = Float32Array.from(real.max_log_softmax!.values);
  expect(largestDifference(softmax, golden.maxLogSoftmax)).toBeLessThanOrEqual(1e-4);
  // The page begins with what shuffling changes: as many dimensions, another loss.
  expect(real.loss!.mean).toBeLessThan(4);
  expect(shuffled.loss!.mean).toBeGreaterThan(9);
  for (const [layer, expected] of golden.spectra.entries()) {
    const found = spectra!.real[layer]!;
    expected.forEach((value, index) => {
      const allowed = Math.max(1e-5 * value, 2e-7 * expected[0]!);
      expect(Math.abs(found[index]! - value)).toBeLessThanOrEqual(allowed);
    });
  }
  const tokenizer = await loadTokenizer(goldenFiles(name));
  for (const sequence of sequenceNames)
    expect(texts![sequence]).toEqual(tokenPieces(tokenizer, report.sequences[sequence].ids));
});

test('a report of an older version is shown as far as it goes', async () => {
  const { report } = await readSaved('alice-gpt2');
  const old = structuredClone(report) as unknown as Record<string, unknown> & typeof report;
  const others: (keyof typeof report)[] = ['adapter', 'timings_ms', 'text'];
  for (const name of others) Reflect.deleteProperty(old, name);
  for (const layer of old.sequences.real.layers)
    for (const name of ['components', 'stable_rank', 'tokens']) Reflect.deleteProperty(layer, name);
  const run = await readRun({ report: JSON.stringify(old) }, 'old.json');
  expect(run.spectra).toBeUndefined();
  expect(run.report).toMatchObject({ text: null, timings_ms: { total: 0 } });
  expect(run.report.sequences.real.layers[3]).toMatchObject({ components: 128, stable_rank: null });
  expect(reportFigures(run.report)).toHaveLength(3);
});

test.each([
  ['{"a": 1}', /old\.json: /],
  ['[1, 2', /old\.json: is not valid JSON/],
])('%s is not a report, and a sentence says so', async (report, sentence) => {
  await expect(readRun({ report }, 'old.json')).rejects.toThrow(sentence);
});
