import { layerDimensions } from '../../src/analysis/dimensions.ts';
import type { SingularValues } from '../../src/analysis/dimensions.ts';
import { buildReport } from '../../src/analysis/build-report.ts';
import type { SequenceMeasurements } from '../../src/analysis/build-report.ts';
import type { ModelReport, Report } from '../../src/analysis/report.ts';

/** One sequence's run, as far as a report needs it. */
export interface FixtureSequence {
  readonly ids: ArrayLike<number>;
  readonly maxLogSoftmax: ArrayLike<number>;
  readonly loss?: ArrayLike<number> | null;
  readonly spectra: readonly SingularValues[];
}

/** A report with a made-up model and adapter around given measurements; `width` is the states' width d. */
export function makeReport(
  real: FixtureSequence,
  shuffled: FixtureSequence,
  width: number,
  { model = {}, threshold = 95 }: { model?: Partial<ModelReport>; threshold?: number } = {},
): Report {
  const tokens = real.ids.length;
  const measure = ({ ids, maxLogSoftmax, loss = null, spectra }: FixtureSequence): SequenceMeasurements => ({
    ids,
    maxLogSoftmax,
    loss,
    layers: spectra.map((singularValues) => layerDimensions(singularValues, tokens, width, threshold)),
  });
  return buildReport({
    model: {
      id: 'alice-gpt2',
      architecture: 'gpt2',
      layers: real.spectra.length - 1,
      width,
      heads: 4,
      vocabulary: 2048,
      context: Math.max(tokens, 256),
      parameters: 1_484_800,
      dtype: 'F32',
      revision: null,
      ...model,
    },
    adapter: { vendor: 'made-up', architecture: '', description: 'a made-up adapter', software: true },
    text: {
      source: 'alice.txt',
      sha256: '0'.repeat(64),
      tokens: 57_035,
      start: 28_517,
      length: tokens,
      preview: { first: 'CHAPTER I.', last: 'THE END' },
    },
    threshold,
    seed: 28,
    sequences: { real: measure(real), shuffled: measure(shuffled) },
    timings: { load: 1, forward: 2, spectrum: 3, total: 6 },
  });
}
