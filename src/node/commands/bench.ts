import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { jsonText } from '../../analysis/json.ts';
import { planProfile } from '../../analysis/plan.ts';
import { profileReport } from '../../analysis/profile-report.ts';
import { few } from '../../analysis/quantities.ts';
import { sequenceNames } from '../../analysis/report.ts';
import type { Report } from '../../analysis/report.ts';
import { measureCopy, measureProduct } from '../../engine/ceilings.ts';
import type { ProductShape } from '../../engine/ceilings.ts';
import { readArchitecture } from '../../engine/architectures/registry.ts';
import { describeModel } from '../../engine/description.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { InputError } from '../../engine/errors.ts';
import type { AdapterReport, Gpu } from '../../engine/gpu/gpu.ts';
import { useDevice } from '../../engine/gpu/open.ts';
import type { KernelTime } from '../../engine/gpu/timer.ts';
import { folderFiles } from '../files.ts';
import { makeCheckpoint } from '../make-checkpoint.ts';
import { wholeNumber } from '../options.ts';
import { publishedModel, publishedNames } from '../published-shapes.ts';
import { formatTable } from '../table.ts';
import type { CommandContext } from './context.ts';

interface BenchFlags {
  readonly like: string;
  readonly layers: number;
  readonly tokens: number;
  readonly json?: boolean;
}

/** What `bench --json` prints. A rate's `of_ceiling` is its part of the fastest matrix product of the same run. */
export interface BenchResult {
  readonly adapter: AdapterReport;
  readonly model: {
    readonly like: string;
    readonly layers: number;
    readonly width: number;
    readonly dtype: string;
    /** Whether the weights stay on the GPU; else they are read during the forward pass, and count in its time. */
    readonly resident: boolean;
  };
  /** Of each of the two sequences. */
  readonly tokens: number;
  readonly ceilings: {
    /** Read and written, together. */
    readonly copy_bytes_per_second: number;
    readonly matrix_products: readonly (ProductShape & { readonly flops: number })[];
    /** The largest of the products'. */
    readonly flops: number;
  };
  readonly forward: Rate & { readonly tokens_per_second: number };
  readonly spectrum: Rate & { readonly matrices: number };
  /** Of one profile, slowest first; null where the device has no timestamps. */
  readonly kernels: readonly KernelTime[] | null;
}

interface Rate {
  readonly seconds: number;
  /** Floating-point operations a second. */
  readonly flops: number;
  readonly of_ceiling: number;
}

/** Profiles are repeated until so much time has been measured, and the fastest counts. */
const LEAST_MILLISECONDS = 1000;
/** A square product that is large enough to keep each kind of adapter busy. */
const SQUARE = { software: 256, hardware: 2048 } as const;
/** Of the vocabulary, as much as makes a product like the others. */
const HEAD_COLUMNS = 4096;
const SEED = 28;
/** From one token id to the next: a prime, so that they differ. */
const STEP = 7919;

/** `laminar bench`: how fast this adapter computes a profile, beside what it can do at best. */
export function addBenchCommand(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .description(
      'measure how fast this adapter profiles a random model, beside what the adapter can do at best',
    )
    .option('--like <model>', `the shape: one of ${publishedNames.join(', ')}`, 'gpt2')
    .option('--layers <n>', 'blocks', wholeNumber('--layers', 1), 2)
    .option('--tokens <n>', 'in each of the two sequences', wholeNumber('--tokens', 1), 64)
    .option('--json', 'print JSON')
    .action(async (flags: BenchFlags) => {
      const result = await bench(flags, context);
      context.terminal.endStages();
      process.stdout.write(flags.json ? jsonText(result, 'bench') : describeBench(result));
    });
}

async function bench(flags: BenchFlags, context: CommandContext): Promise<BenchResult> {
  const { terminal, signal } = context;
  checkTokens(flags);
  const folder = await mkdtemp(join(tmpdir(), 'laminar-bench-'));
  try {
    const { like, layers } = flags;
    const onProgress = terminal.stage('write', 'bytes');
    terminal.notice('laminar: writing random weights');
    await makeCheckpoint({ like, layers, out: folder, signal, onProgress });
    const description = await describeModel(folderFiles(folder));
    try {
      return await measure(description, flags, context);
    } finally {
      await description.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws InputError before any work where the model has no place for so many tokens, or is not known */
function checkTokens({ like, tokens }: BenchFlags): void {
  const { context } = readArchitecture(publishedModel(like).config, like).config;
  if (tokens <= context) return;
  throw new InputError(
    `--tokens ${tokens} is more than the context of ${like}, ${context} tokens; give --tokens ${context} or fewer`,
  );
}

async function measure(
  description: ModelDescription,
  { like, layers, tokens }: BenchFlags,
  context: CommandContext,
): Promise<BenchResult> {
  const { config } = description;
  using gpu = await context.openGpu(description.sizes.all);
  const { memoryLimit, adapter } = gpu;
  const plan = planProfile({ model: description, tokens, memoryLimit, software: adapter.software });
  const ceilings = await measureCeilings(gpu, description, tokens, context);
  const { model, seconds, kernels } = await measureProfile(gpu, description, tokens, context);
  const rate = (took: number, operations: number): Rate => {
    const flops = operations / took;
    return { seconds: took, flops, of_ceiling: flops / ceilings.flops };
  };
  const matrices = sequenceNames.length * (layers + 1);
  return {
    adapter,
    model: { like, layers, width: config.width, dtype: model.dtype, resident: plan.weights.isResident },
    tokens,
    ceilings,
    forward: {
      ...rate(seconds.forward, plan.operations.forward),
      tokens_per_second: (sequenceNames.length * tokens) / seconds.forward,
    },
    spectrum: { ...rate(seconds.spectrum, plan.operations.spectrum), matrices },
    kernels,
  };
}

async function measureCeilings(
  gpu: Gpu,
  description: ModelDescription,
  tokens: number,
  { terminal, signal }: CommandContext,
): Promise<BenchResult['ceilings']> {
  const shapes = productShapes(description, sequenceNames.length * tokens, gpu.adapter.software);
  terminal.notice('laminar: measuring what the adapter can do at best');
  const onMeasured = terminal.stage('ceilings');
  onMeasured(0, 1 + shapes.length);
  const copy = await measureCopy(gpu);
  onMeasured(1, 1 + shapes.length);
  const products: (ProductShape & { flops: number })[] = [];
  for (const shape of shapes) {
    signal.throwIfAborted();
    products.push({ ...shape, flops: await measureProduct(gpu, shape) });
    onMeasured(1 + products.length, 1 + shapes.length);
  }
  const flops = Math.max(...products.map((product) => product.flops));
  return { copy_bytes_per_second: copy, matrix_products: products, flops };
}

/** The products of one block, a part of the head's, and a square one. */
function productShapes(description: ModelDescription, rows: number, isSoftware: boolean): ProductShape[] {
  const { block, head } = description.products();
  const square = SQUARE[isSoftware ? 'software' : 'hardware'];
  const shapes: ProductShape[] = block.map((product) => ({ rows, ...product }));
  if (head) shapes.push({ rows, ...head, columns: Math.min(head.columns, HEAD_COLUMNS) });
  return [...shapes, { rows: square, inner: square, columns: square, dtype: 'F32', layout: '[in, out]' }];
}

/** The fastest of several profiles, and where one more spent its time on the GPU. */
async function measureProfile(
  gpu: Gpu,
  description: ModelDescription,
  tokens: number,
  { terminal, signal }: CommandContext,
): Promise<{
  model: Report['model'];
  seconds: { forward: number; spectrum: number };
  kernels: readonly KernelTime[] | null;
}> {
  const { vocabulary } = description.config;
  const ids = Int32Array.from({ length: tokens }, (_, index) => (STEP * index) % vocabulary);
  const subject = { id: 'random', revision: null, tokens: { real: ids }, text: null, seed: SEED };
  const profile = async (on: Gpu, why: string): Promise<Report> => {
    signal.throwIfAborted();
    terminal.notice(`laminar: profiling ${why}`);
    const started = performance.now();
    const { report } = await profileReport(
      on,
      description,
      { ...subject, started },
      {
        threshold: 95,
        signal,
        onForward: terminal.stage('forward'),
        onSpectrum: terminal.stage('spectrum'),
      },
    );
    terminal.endStages();
    return report;
  };

  const { model } = await profile(gpu, 'once, which compiles the kernels');
  const forward: number[] = [];
  const spectrum: number[] = [];
  for (let measured = 0; measured < LEAST_MILLISECONDS;) {
    const { timings_ms: timings } = await profile(
      gpu,
      `to measure, ${few(measured / 1000, 2)} of ${LEAST_MILLISECONDS / 1000} s so far`,
    );
    forward.push(timings.forward / 1000);
    spectrum.push(timings.spectrum / 1000);
    measured += timings.forward + timings.spectrum;
  }
  // A device's kernels are compiled once, whoever uses it.
  using timed = useDevice(gpu.device, { memoryLimit: gpu.memoryLimit, timed: true, signal });
  if (timed.timer) await profile(timed, 'once more, to time each kernel');
  return {
    model,
    seconds: { forward: Math.min(...forward), spectrum: Math.min(...spectrum) },
    kernels: timed.timer ? await timed.timer.totals() : null,
  };
}

/** What `bench` prints without --json. */
export function describeBench(result: BenchResult): string {
  const { adapter, model, tokens, ceilings, forward, spectrum, kernels } = result;
  const ceilingRows = ceilings.matrix_products.map(({ rows, inner, columns, dtype, layout, flops }) => [
    `${rows} x ${inner} x ${columns} ${dtype} ${layout}`,
    '',
    `${few(flops / 1e9, 3)} GFLOP/s`,
    percent(flops / ceilings.flops),
  ]);
  const rateRow = (name: string, { seconds, flops, of_ceiling: part }: Rate) => [
    name,
    `${few(seconds, 3)} s`,
    `${few(flops / 1e9, 3)} GFLOP/s`,
    percent(part),
  ];
  const table = formatTable(
    ['', 'time', 'rate', 'of the fastest product'],
    [
      ['copy', '', `${few(ceilings.copy_bytes_per_second / 1e9, 3)} GB/s`, ''],
      ...ceilingRows,
      rateRow('forward', forward),
      rateRow('spectrum', spectrum),
    ],
  );
  const total = kernels?.reduce((sum, { milliseconds }) => sum + milliseconds, 0) ?? 0;
  const kernelTable = formatTable(
    ['kernel', 'dispatches', 'time', 'of all'],
    (kernels ?? []).map(({ kernel, dispatches, milliseconds }) => [
      kernel,
      String(dispatches),
      `${few(milliseconds, 3)} ms`,
      percent(milliseconds / total),
    ]),
  );
  return [
    `${adapter.description}${adapter.software ? ' (software)' : ''}: ${model.like}'s shape, ${model.layers} layers of `,
    `width ${model.width}, ${model.dtype} weights that ${model.resident ? 'stay' : 'stream'}, 2 x ${tokens} tokens\n\n`,
    table,
    `\n${few(forward.tokens_per_second, 3)} tokens/s; ${spectrum.matrices} spectra of ${tokens} x ${model.width}\n`,
    kernels ? `\n${kernelTable}` : '\nThis device has no timestamps: no times of kernels.\n',
  ].join('');
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)}%`;
}
