import { expect, it } from 'vitest';
import { describeComponents } from '../../src/node/profile-wide.ts';
import { makeReport } from '../support/report-fixture.ts';

const hand = {
  ids: Int32Array.of(5, 7, 9),
  maxLogSoftmax: Float32Array.of(-1, -0.5, -0.25),
  spectra: [Float32Array.of(4, 2, 2), Float32Array.of(0, 0, 0)],
};

it('shows who carries the first component, tokens as text or as ids, and dashes where nothing varies', () => {
  const report = makeReport(hand, hand, 4);
  Object.assign(report.sequences.real.layers[0]!, {
    tokens: { first: 3, median: 1, max: 4.5, max_token: 2 },
    first_token_share: 0.25,
    component_1: {
      share: 0.667,
      gap: 0.5,
      tokens: [{ token: 1, share: 0.9 }],
      next_token_share: null,
      dimensions: [{ dimension: 3, share: 0.8 }],
      next_dimension_share: null,
    },
  });
  const asText = describeComponents(report, (id) => `\n${id}`);
  expect(asText).toMatch(/^ +0 +real +3 +1 +4\.5 +2 "\\n9" +0\.667 +0\.250 +1 "\\n7" 0\.90 +3 0\.80$/m);
  expect(asText).toMatch(/^ +1 +shuffled(?: +–){8}$/m);
  expect(describeComponents(report, null)).toMatch(/ 2 \(id 9\) .* 1 \(id 7\) 0\.90 /);
});
