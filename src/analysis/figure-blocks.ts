import type { TopLevelSpec } from 'vega-lite';
import { bandWords } from './bands.ts';
import type { BandOfNumber } from './bands.ts';
import { shaded } from './figure-bands.ts';
import { frame, hoverRule, lineEncoding, pointEncoding, pointMark, runLine } from './figure-style.ts';
import type { Layer, PositionX, PositionY, Series } from './figure-style.ts';
import { plotsSideBySide } from './figure-panels.ts';
import { viewLayers, viewTitle } from './figure-views.ts';
import type { Figure } from './figure.ts';
import type { LayerReport, Report } from './report.ts';
import { countedComponents } from './threshold.ts';
import type { ViewName } from './views.ts';

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
  const curves = curvesOf(report, 'all');
  if (!curves) return [];
  const title = 'Effective dimension against the order that is kept';
  const specification: TopLevelSpec = {
    ...frame(title, subtitle(report)),
    layer: layersOf(report, curves, highestOf(curves), 'hovered'),
  };
  return [{ name: 'shuffle-blocks', title, specification }];
}

/** The same of every view, side by side on one scale. None where no other view was asked for. */
export function blockViewFigures(report: Report): Figure[] {
  const others = Object.keys(report.sequences.real.views ?? {}) as ViewName[];
  const known = (['all', ...others] as const).flatMap((view) => {
    const curves = curvesOf(report, view);
    return curves ? [{ view, curves }] : [];
  });
  if (known.length < 2) return [];
  const title = 'Effective dimension against the order that is kept, in each view';
  const highest = Math.max(...known.map(({ curves }) => highestOf(curves)));
  const plots = known.map(({ view, curves }, index) => ({
    title: viewTitle(report, view),
    layer: layersOf(report, curves, highest, `hovered${index}`),
  }));
  const specification = plotsSideBySide(title, subtitle(report), plots);
  return [{ name: 'shuffle-blocks-views', title, specification }];
}

/** The curve of one layer: a band for each size of block, the last of them the text as it is. */
interface Curve {
  readonly layer: number;
  readonly bands: readonly (BandOfNumber & { readonly block: number })[];
}

/** @returns undefined where no blocks were shuffled, or the numbers are not known */
function curvesOf({ sampling, sequences, bands = {}, model }: Report, view: ViewName): Curve[] | undefined {
  const tokens = sequences.real.ids.length;
  if (!sampling || sampling.shuffle_blocks.length === 0 || tokens < 2) return undefined;
  const sizes = [...new Set([1, ...sampling.shuffle_blocks.filter((block) => block < tokens), tokens])];
  const whole: readonly Partial<LayerReport>[] = viewLayers(sequences.real, view);
  const layersOfBand = (name: string) =>
    view === 'all' ? bands[name]?.layers : bands[name]?.views?.[view]?.layers;
  const curves = chosenLayers(model.layers).map((layer) => {
    const real = whole[layer]?.effective_dimension;
    const found = sizes.map((block) => {
      const band = layersOfBand(block === 1 ? 'shuffled' : `block_${block}`)?.[layer]?.effective_dimension;
      if (block < tokens && band) return { ...band, block };
      return real === undefined ? undefined : { min: real, median: real, max: real, share_above: 0, block };
    });
    return { layer, bands: found.filter((band) => band !== undefined) };
  });
  return curves.some(({ bands: own }) => own.length > 0) ? curves : undefined;
}

const highestOf = (curves: readonly Curve[]) =>
  Math.max(1, ...curves.flatMap(({ bands }) => bands.map(({ max }) => max)));

function subtitle(report: Report): string[] {
  const count = report.sampling!.shuffles;
  return [
    runLine(report),
    countedComponents(report.threshold),
    count === 1
      ? 'one permutation for each size'
      : `medians of ${count} permutations, shaded: lowest to highest`,
    'the last point is the text as it is',
  ];
}

function layersOf(report: Report, curves: readonly Curve[], highest: number, hovered: string): Layer[] {
  const tokens = report.sequences.real.ids.length;
  const sizes = [...new Set(curves.flatMap(({ bands }) => bands.map(({ block }) => block)))];
  const series = curves.map(({ layer }, place): Series => ({
    label: `layer ${layer}`,
    colour: palette[place]!,
    dash: [1, 0],
    shape: shapes[place]!,
    size: 45,
    isOpen: false,
  }));
  const x: PositionX = {
    field: 'block',
    type: 'quantitative',
    title: 'Tokens of a block, order kept inside',
    scale: { type: 'log', base: 2, domain: [1, tokens], nice: false, padding: 10 },
    axis: { values: sizes, grid: false, format: 'd', labelOverlap: true },
  };
  const y: PositionY = {
    field: 'dimension',
    type: 'quantitative',
    title: 'Effective dimension',
    scale: { domain: [0, highest * 1.05], nice: true },
    axis: { tickMinStep: 1, tickCount: 8 },
  };
  const values = curves.flatMap(({ bands }, place) =>
    bands.map(({ block, median }) => ({ series: series[place]!.label, block, dimension: median })),
  );
  const shades = curves.map(({ bands }, place) => {
    const places = bands.map(({ block, min, max }) => ({ block, low: min, high: max }));
    return shaded(places, x, y, palette[place]!);
  });
  const rows = sizes.map((block) => ({
    block,
    ...Object.fromEntries(
      curves.map(({ layer, bands }) => [
        `of${layer}`,
        bandWords(bands.find((band) => band.block === block) ?? null),
      ]),
    ),
  }));
  return [
    ...(report.sampling!.shuffles === 1 ? [] : shades),
    { data: { values }, mark: { type: 'line' }, encoding: { x, y, ...lineEncoding(series) } },
    { data: { values }, mark: pointMark, encoding: { x, y, ...pointEncoding(series) } },
    hoverRule(
      rows,
      'block',
      [
        ['Tokens of a block', 'block'],
        ...curves.map(({ layer }) => [`Layer ${layer}`, `of${layer}`] as const),
      ],
      hovered,
    ),
  ];
}

/** A few layers, evenly from the first after the embedding to the last. */
function chosenLayers(layers: number): number[] {
  const count = Math.min(MAX_LAYERS, layers);
  if (count <= 1) return [layers];
  return Array.from({ length: count }, (_, index) => 1 + Math.round((index * (layers - 1)) / (count - 1)));
}
