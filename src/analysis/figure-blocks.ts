import type { TopLevelSpec } from 'vega-lite';
import { bandWords } from './bands.ts';
import type { BandOfNumber } from './bands.ts';
import { shaded } from './figure-bands.ts';
import { frame, hoverRule, lineEncoding, pointEncoding, pointMark, runLine } from './figure-style.ts';
import type { PositionX, PositionY, Series } from './figure-style.ts';
import type { Figure } from './figure.ts';
import type { Report } from './report.ts';
import { countedComponents } from './threshold.ts';

/** Blue, vermilion, green, pink and orange of Okabe and Ito, "Color Universal Design" (2002), for layers from first to last. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
const shapes = ['circle', 'diamond', 'square', 'triangle-up', 'triangle-down'];
/** Lines in one plot. */
const MAX_LAYERS = palette.length;

/**
 * The graded curve: the effective dimension against the size of the blocks that were shuffled, for a few layers, from single
 * tokens to the text as it is. None where no blocks were shuffled.
 */
export function blockFigures(report: Report): Figure[] {
  const { sampling, sequences, bands = {} } = report;
  const tokens = sequences.real.ids.length;
  const sizes = [
    ...new Set([1, ...(sampling?.shuffle_blocks ?? []).filter((block) => block < tokens), tokens]),
  ];
  if (!sampling || sampling.shuffle_blocks.length === 0 || tokens < 2) return [];
  const layers = chosenLayers(report.model.layers);
  const series = layers.map((layer, place): Series => ({
    label: `layer ${layer}`,
    colour: palette[place]!,
    dash: [1, 0],
    shape: shapes[place]!,
    size: 45,
    isOpen: false,
  }));
  const bandAt = (block: number, layer: number): BandOfNumber => {
    const real = sequences.real.layers[layer]!.effective_dimension;
    const band = block === 1 ? bands['shuffled'] : bands[`block_${block}`];
    const whole = { min: real, median: real, max: real, share_above: 0 };
    return block >= tokens ? whole : (band!.layers[layer]!.effective_dimension ?? whole);
  };
  const x: PositionX = {
    field: 'block',
    type: 'quantitative',
    title: 'Tokens of a block, order kept inside',
    scale: { type: 'log', base: 2, domain: [1, tokens], nice: false, padding: 10 },
    axis: { values: sizes, grid: false, format: 'd', labelOverlap: true },
  };
  const values = layers.flatMap((layer, place) =>
    sizes.map((block) => ({
      series: series[place]!.label,
      block,
      dimension: bandAt(block, layer).median,
    })),
  );
  const highest = Math.max(1, ...layers.flatMap((layer) => sizes.map((block) => bandAt(block, layer).max)));
  const y: PositionY = {
    field: 'dimension',
    type: 'quantitative',
    title: 'Effective dimension',
    scale: { domain: [0, highest * 1.05], nice: true },
    axis: { tickMinStep: 1, tickCount: 8 },
  };
  const count = sampling.shuffles;
  const title = 'Effective dimension against the order that is kept';
  const specification: TopLevelSpec = {
    ...frame(title, [
      runLine(report),
      countedComponents(report.threshold),
      count === 1
        ? 'one permutation for each size'
        : `medians of ${count} permutations, shaded: lowest to highest`,
      'the last point is the text as it is',
    ]),
    layer: [
      ...(count === 1
        ? []
        : layers.map((layer, place) =>
            shaded(
              sizes.map((block) => {
                const { min, max } = bandAt(block, layer);
                return { block, low: min, high: max };
              }),
              x,
              y,
              palette[place]!,
            ),
          )),
      { data: { values }, mark: { type: 'line' }, encoding: { x, y, ...lineEncoding(series) } },
      { data: { values }, mark: pointMark, encoding: { x, y, ...pointEncoding(series) } },
      hoverRule(
        sizes.map((block) => ({
          block,
          ...Object.fromEntries(layers.map((layer) => [`of${layer}`, bandWords(bandAt(block, layer))])),
        })),
        'block',
        [['Tokens of a block', 'block'], ...layers.map((layer) => [`Layer ${layer}`, `of${layer}`] as const)],
      ),
    ],
  };
  return [{ name: 'shuffle-blocks', title, specification }];
}

/** A few layers, evenly from the first after the embedding to the last. */
function chosenLayers(layers: number): number[] {
  const count = Math.min(MAX_LAYERS, layers);
  if (count <= 1) return [layers];
  return Array.from({ length: count }, (_, index) => 1 + Math.round((index * (layers - 1)) / (count - 1)));
}
