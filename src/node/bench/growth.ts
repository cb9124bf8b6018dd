import { growthOf } from '../../analysis/growth.ts';
import type { Growth, GrowthAxis, GrowthPoint } from '../../analysis/growth.ts';
import { spectrumWork } from '../../analysis/plan-spectrum.ts';
import { computeSpectra } from '../../analysis/spectrum.ts';
import { InputError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { Model } from '../../engine/model.ts';
import { operationsOf } from '../../engine/work.ts';
import type { CommandContext } from '../commands/context.ts';
import { formatTable } from '../table.ts';
import { describeHead, formatSeconds } from './describe.ts';
import { fastest } from './fastest.ts';
import { withRandomMatrices } from './random-matrices.ts';
import { spreadIds, withRandomModel } from './random-model.ts';
import { benchHead } from './result.ts';
import type { BenchHead } from './result.ts';
import { smallModel } from './small-model.ts';

/** What `bench --growth --json` prints. */
export interface GrowthBench extends BenchHead {
  readonly bench: 'growth';
  readonly growths: readonly Growth[];
}

interface ForwardSizes {
  readonly tokens: number;
  readonly width: number;
  readonly layers: number;
  readonly batch: number;
}
interface SpectrumSizes {
  readonly matrices: number;
  readonly size: number;
}

/** What stays the same while one of them grows. */
const BASE = {
  software: { tokens: 64, width: 128, layers: 2, batch: 1, matrices: 2, size: 64 },
  hardware: { tokens: 512, width: 768, layers: 4, batch: 2, matrices: 8, size: 256 },
} as const;
const SIZES = {
  software: {
    tokens: [32, 64, 128, 256, 512],
    width: [64, 128, 192, 256, 384],
    layers: [1, 2, 4, 8, 12],
    batch: [1, 2, 4, 8, 12],
    matrices: [1, 2, 4, 8, 12],
    size: [32, 64, 96, 128, 192],
  },
  hardware: {
    tokens: [128, 256, 512, 1024, 2048, 4096],
    width: [256, 512, 768, 1024, 1536, 2048],
    layers: [2, 4, 8, 16, 24],
    batch: [1, 2, 4, 8, 16],
    matrices: [4, 8, 16, 32, 64],
    size: [128, 256, 384, 512, 768, 1024],
  },
} as const;
/** The power that theory gives for very large sizes: attention's in tokens, products' in width, QR's and Jacobi's in size. */
const LIMITS = { tokens: 2, width: 2, layers: 1, batch: 1, matrices: 1, size: 3 } as const;
const HEAD_WIDTH = 32;
const VOCABULARY = 1024;

export type GrowthName = keyof typeof LIMITS;
export const growthNames = Object.keys(LIMITS) as readonly GrowthName[];

/** The axes in a flag's text, such as `tokens,width`. @throws InputError for other names */
export function readGrowthNames(text: string): readonly GrowthName[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !growthNames.some((known) => known === name));
  if (unknown !== undefined) {
    throw new InputError(
      `--growth ${text}: ${JSON.stringify(unknown)} cannot grow; give some of ${growthNames.join(',')}, with commas between`,
    );
  }
  return growthNames.filter((known) => names.includes(known));
}

/** The values of the sizes that stay the same, and those of the one that grows. */
export interface GrowthSizes {
  readonly base: Readonly<Record<GrowthName, number>>;
  readonly sizes: Readonly<Record<GrowthName, readonly number[]>>;
}

/**
 * Measures how the time of a forward pass and of spectra grows along some axes.
 * @param chosen default: what suits the adapter
 */
export async function benchGrowth(
  names: readonly GrowthName[],
  context: CommandContext,
  chosen?: GrowthSizes,
): Promise<GrowthBench> {
  using gpu = await context.openGpu();
  const kind = gpu.adapter.software ? 'software' : 'hardware';
  const { base, sizes }: GrowthSizes = chosen ?? { base: BASE[kind], sizes: SIZES[kind] };
  const onPoint = context.terminal.stage('points');
  const total = names.reduce((sum, name) => sum + sizes[name].length, 0);
  let done = 0;
  onPoint(0, total);
  const growths: Growth[] = [];
  for (const name of names) {
    context.terminal.notice(`growing ${name}: ${sizes[name].join(', ')}`);
    const points: GrowthPoint[] = [];
    for (const size of sizes[name]) {
      context.signal.throwIfAborted();
      const point = { ...base, [name]: size };
      points.push({ size, ...(await measurePoint(gpu, name, point, context.signal)) });
      onPoint(++done, total);
    }
    // A CPU that plays the GPU may be busy with other things, too.
    growths.push(growthOf(axisOf(name, base), points, gpu.adapter.software ? 'cpu_seconds' : 'seconds'));
  }
  return { ...benchHead('growth', gpu.adapter), growths };
}

function measurePoint(
  gpu: Gpu,
  name: GrowthName,
  sizes: ForwardSizes & SpectrumSizes,
  signal: AbortSignal,
): Promise<Omit<GrowthPoint, 'size'>> {
  return name === 'matrices' || name === 'size'
    ? measureSpectra(gpu, sizes, signal)
    : measureForward(gpu, sizes, signal);
}

async function measureForward(
  gpu: Gpu,
  { tokens, width, layers, batch }: ForwardSizes,
  signal: AbortSignal,
): Promise<Omit<GrowthPoint, 'size'>> {
  const heads = Math.max(1, width / HEAD_WIDTH);
  const shape = { layers, width, heads, vocabulary: VOCABULARY, context: tokens };
  return withRandomModel({ ...smallModel(shape), signal }, async (description) => {
    using model = await Model.load(gpu, description, { signal, maxTokens: batch * tokens });
    const sequences = Array.from({ length: batch }, (_, index) =>
      spreadIds(tokens, VOCABULARY, index * tokens),
    );
    const took = await fastest(() => model.run(sequences, { signal }));
    return { ...took, operations: description.operations(batch, tokens) };
  });
}

async function measureSpectra(
  gpu: Gpu,
  { matrices, size }: SpectrumSizes,
  signal: AbortSignal,
): Promise<Omit<GrowthPoint, 'size'>> {
  return withRandomMatrices(gpu, { matrices, rows: size, columns: size }, async (views) => {
    const took = await fastest(() => computeSpectra(gpu, views, { signal }));
    return { ...took, operations: operationsOf(spectrumWork(size, size, matrices)) };
  });
}

function axisOf(name: GrowthName, base: ForwardSizes & SpectrumSizes): GrowthAxis {
  const forward = {
    tokens: `${base.tokens} tokens`,
    width: `width ${base.width}`,
    layers: `${base.layers} layers`,
    batch: `${base.batch} sequence${base.batch === 1 ? '' : 's'}`,
  };
  const job =
    name === 'size'
      ? `spectra of ${base.matrices} matrices of n x n`
      : name === 'matrices'
        ? `spectra of ${base.size} x ${base.size}`
        : `forward: ${Object.entries(forward)
            .filter(([key]) => key !== name)
            .map(([, words]) => words)
            .join(', ')}`;
  return { axis: name, job, limit: LIMITS[name] };
}

/** What `bench --growth` prints without --json. */
export function describeGrowthBench(result: GrowthBench): string {
  const fits = formatTable(
    ['grows', 'what runs', 'fitted', 'in theory', 'far out', 'window', 'off by'],
    result.growths.map(({ axis, job, time, theory, limit }) => [
      axis,
      job,
      time.exponent.toFixed(2),
      theory.exponent.toFixed(2),
      String(limit),
      `${time.from} to ${time.to}`,
      `${(100 * time.residual).toFixed(0)}%`,
    ]),
  );
  const points = formatTable(
    ['grows', 'size', 'time', 'CPU time', 'operations'],
    result.growths.flatMap(({ axis, points: measured }) =>
      measured.map(({ size, seconds, cpu_seconds, operations }) => [
        axis,
        String(size),
        formatSeconds(seconds),
        formatSeconds(cpu_seconds),
        operations.toExponential(2),
      ]),
    ),
  );
  const fitted = result.growths[0]?.fitted === 'cpu_seconds' ? 'CPU time' : 'time';
  return [
    `${describeHead(result)}\n${fits}\n${points}\n`,
    `Exponents of ${fitted} by least squares on logarithms over the window; in theory: the same fit of the operations; `,
    'far out: the power of the largest term.\n',
  ].join('');
}
