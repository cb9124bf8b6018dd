import { expect, test } from 'vitest';
import { reductionFigures } from '../../../src/analysis/reduction/figures.ts';
import type { CutReport, ReductionReport } from '../../../src/analysis/reduction/report.ts';
import { makeReport } from '../../support/report-fixture.ts';

/** Layer 0 of a model of one block, cut to as many components as `kl` has numbers. */
function reportOf(kl: Readonly<Record<number, number>>): ReductionReport {
  const sequence = {
    ids: [1, 2],
    maxLogSoftmax: [-1, -2],
    spectra: [Float32Array.of(1), Float32Array.of(1)],
  };
  const { laminar, model, adapter, text, seed } = makeReport(sequence, sequence, 1);
  const cuts = Object.entries(kl).map(([components, mean]): CutReport => ({
    layer: 0,
    asked: Number(components),
    components: Number(components),
    rank: 50,
    explained_percent: 90,
    logits: {
      kl: { mean, max: mean, values: [] },
      log_softmax_change: { max: 0, values: [] },
      argmax_agreement: 1,
    },
    loss: null,
    states: [{ layer: 0, relative_change: mean }],
  }));
  const real = { ids: [1, 2], unique_tokens: 2, loss: null, cuts };
  const timings_ms = { load: 0, reduce: 0, total: 0 };
  const reduction = { layers: [0], components: Object.keys(kl).map(Number) };
  return { laminar, model, adapter, text, seed, reduction, sequences: { real }, timings_ms };
}

test.each<[Readonly<Record<number, number>>, number[], object]>([
  [{ 1: 0, 3: 0 }, [1, 2, 3], { scale: { domain: [0, 1] }, axis: {} }],
  [{ 1: 1e-14, 16: 1e-15 }, [1, 2, 4, 8, 16], { scale: { domain: [0, 1.05e-9] }, axis: { format: '.1e' } }],
  [{ 1: 2, 17: 1 }, [1, 2, 4, 8, 16], { scale: { domain: [0, 2.1] }, axis: {} }],
])('divergences %j: the axes', (kl, ticks, y) => {
  const [divergence, changes] = reductionFigures(reportOf(kl));
  const { layer } = divergence!.specification as unknown as {
    layer: { encoding: { x: { axis: object }; y: object } }[];
  };
  expect(layer[0]!.encoding.x.axis).toMatchObject({ values: ticks });
  expect(layer[0]!.encoding.y).toMatchObject(y);
  const { concat } = changes!.specification as unknown as {
    concat: (typeof divergence & { layer: typeof layer })[];
  };
  expect(concat[0]!.layer[0]!.encoding.y).toMatchObject(y);
});
