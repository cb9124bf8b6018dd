import { fitting, variantOfLanes } from './tuning.ts';
import type { Tuning, TuningOverrides } from './tuning.ts';

/** A decision of `tune` about kernels, and the ways in which it can be taken on this device. */
export interface Decision {
  readonly name: string;
  /** The kernels that it is about, by their names without the variant. */
  readonly kernels: readonly string[];
  /** The job in which they run. */
  readonly job: 'forward' | 'spectra';
  /** Whether it can be taken without others: lanes share loads in all kernels of the spectrum, or in none. */
  readonly standsAlone: boolean;
  readonly options: readonly {
    readonly name: string;
    readonly overrides: TuningOverrides;
    /** What `tune` chose. */
    readonly chosen: boolean;
  }[];
}

const THREADS = { norm: [8, 32, 64], fold: [8, 32, 128], jacobi: [16, 32, 64] } as const;

/** Kernels for hardware are not a choice where a CPU plays the GPU: they are slow there, and take long to compile. */
const NONE_FIT: ReturnType<typeof fitting> = { tiles: false, wideAttention: false, stagedJacobi: false };

/** Every decision about kernels with all its options. Those that need subgroups of some size are there only with them. */
export function decisionsOf(tuning: Tuning): Decision[] {
  const { lanes } = tuning;
  const fits = tuning.traits.software ? NONE_FIT : fitting(tuning.traits);
  const options = <Key extends 'product' | 'attention' | 'head' | 'normThreads' | 'foldThreads'>(
    key: Key,
    values: readonly Tuning[Key][],
    beside: TuningOverrides = {},
  ): Decision['options'] =>
    [...new Set([...values, tuning[key]])].map((value) => ({
      name: typeof value === 'number' ? `${value} threads` : String(value),
      overrides: { ...beside, [key]: value } as TuningOverrides,
      chosen: tuning[key] === value,
    }));
  const shared = lanes === 4 ? (['lanes'] as const) : [];
  const { software, subgroups } = tuning.traits;
  const eight = software && subgroups && subgroups.min >= 4 ? (['eight'] as const) : [];
  const jacobi = [...new Set<number>([...THREADS.jacobi, tuning.jacobiThreads])].map((threads) => ({
    name: `${threads} threads`,
    overrides: { jacobi: 'direct', jacobiThreads: threads, lanes: 0 } as TuningOverrides,
    chosen: lanes === 0 && tuning.jacobi === 'direct' && tuning.jacobiThreads === threads,
  }));
  if (fits.stagedJacobi) {
    const chosen = lanes === 0 && tuning.jacobi === 'staged';
    jacobi.push({ name: 'staged', overrides: { jacobi: 'staged', lanes: 0 }, chosen });
  }
  const byLanes = variantOfLanes(lanes);
  const withLanes: Decision['options'] = byLanes
    ? [{ name: byLanes, overrides: { lanes }, chosen: true }]
    : [];
  return [
    {
      name: 'matrix product',
      kernels: ['matrix-product'],
      job: 'forward',
      standsAlone: true,
      options: options('product', [
        'direct',
        'staged',
        ...(fits.tiles ? (['tiles'] as const) : []),
        ...eight,
        ...shared,
        ...(tuning.matrices ? (['matrices'] as const) : []),
      ]),
    },
    {
      name: 'attention',
      kernels: ['attention'],
      job: 'forward',
      standsAlone: true,
      options: options('attention', [
        'staged',
        ...(fits.wideAttention ? (['wide'] as const) : []),
        ...eight,
        ...shared,
      ]),
    },
    {
      name: 'layer norm',
      kernels: ['layer-norm', 'rms-norm', 'head-norm'],
      job: 'forward',
      standsAlone: true,
      options: options('normThreads', THREADS.norm),
    },
    {
      // The times include the products of the blocks, which are the same in both.
      name: 'lm_head',
      kernels: ['matrix-product', 'fold-log-softmax'],
      job: 'forward',
      standsAlone: true,
      options: options('head', fits.tiles ? ['logits', 'folded'] : ['logits'], {
        product: tuning.product,
        foldThreads: tuning.foldThreads,
      }),
    },
    {
      name: 'log-softmax',
      kernels: ['fold-log-softmax'],
      job: 'forward',
      standsAlone: true,
      options: options('foldThreads', THREADS.fold, { head: tuning.head }),
    },
    {
      name: 'Jacobi round',
      kernels: ['jacobi-round'],
      job: 'spectra',
      standsAlone: lanes === 0,
      options: [...jacobi, ...withLanes],
    },
    ...[
      ['factorisation', 'qr-panel', 'qr-update'],
      ['projection', 'project-vectors'],
    ].map(([name, ...kernels]): Decision => ({
      name: name!,
      kernels,
      job: 'spectra',
      standsAlone: false,
      options: [{ name: 'plain', overrides: { lanes: 0 }, chosen: lanes === 0 }, ...withLanes],
    })),
  ];
}

/**
 * The decisions that follow from options chosen by name. Names that this device does not have, decisions that do not
 * stand alone, and options that contradict ones before them, are left out.
 * @param tuning what the device suggests
 */
export function overridesFor(tuning: Tuning, choices: Readonly<Record<string, string>>): TuningOverrides {
  let overrides: TuningOverrides = {};
  for (const { name, options, standsAlone } of decisionsOf(tuning)) {
    const chosen = options.find((option) => option.name === choices[name]);
    if (!chosen || !standsAlone) continue;
    const changes = Object.entries(chosen.overrides).filter(
      ([key, value]) => tuning[key as keyof Tuning] !== value,
    );
    const changed = Object.fromEntries(changes) as TuningOverrides;
    const isCompatible = Object.entries(changed).every(
      ([key, value]) => (overrides[key as keyof TuningOverrides] ?? value) === value,
    );
    if (isCompatible) overrides = { ...overrides, ...changed };
  }
  return overrides;
}
