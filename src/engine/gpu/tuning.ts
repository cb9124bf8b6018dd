import { chooseMatrices, matrixShapesOfDevice } from './subgroup-matrices.ts';
import type { MatrixShape, SubgroupMatrices } from './subgroup-matrices.ts';

/**
 * The traits of a device on which decisions depend. They are read from the device, not from the adapter: a device that
 * the user lends may have fewer features than its adapter offers.
 */
export interface DeviceTraits {
  /** Whether a CPU plays the GPU. */
  readonly software: boolean;
  /** The smallest and largest subgroup that a shader may get; undefined without the feature `subgroups`. */
  readonly subgroups: { readonly min: number; readonly max: number } | undefined;
  /** Bytes of workgroup memory. */
  readonly workgroupMemory: number;
  /** Threads that a workgroup may have. */
  readonly maxThreads: number;
  readonly timestamps: boolean;
  /** Shapes of subgroup matrices, if the user asked for them. */
  readonly matrices?: readonly MatrixShape[];
}

/** Kernels that compute the matrix product; kernels.ts names their files. */
export type ProductVariant = 'direct' | 'staged' | 'tiles' | 'lanes' | 'eight' | 'matrices';
/** Kernels that compute attention. */
export type AttentionVariant = 'staged' | 'wide' | 'lanes' | 'eight';
/** Kernels of a Jacobi round that need no subgroups. */
export type JacobiVariant = 'direct' | 'staged';
/** How lm_head becomes a log-softmax: through tiles of logits, or folded where the products are made. */
export type HeadVariant = 'logits' | 'folded';

/** How this device computes: every choice of a kernel's variant, its threads and the work handed over at once. */
export interface Tuning {
  readonly traits: DeviceTraits;
  /**
   * 4 or 8 where every subgroup has exactly as many lanes, so that kernels of the spectrum in which lanes share their loads
   * may be used; else 0. Lanes that share loads take every branch together.
   */
  readonly lanes: 0 | 4 | 8;
  readonly product: ProductVariant;
  /**
   * The minimum number of tiles of 128 × 128 for which the product `tiles` takes them: then every core has one. With
   * fewer, it takes tiles of 64 × 64. Infinity if a workgroup of the device cannot make a large one.
   */
  readonly largeTilesFrom: number;
  /** The subgroup matrices of the product `matrices`; absent if none were asked for, or none fits: doctor prints this. */
  readonly matrices?: SubgroupMatrices;
  readonly attention: AttentionVariant;
  /** Dimensions of a head that the attention `wide` holds in workgroup memory at once. */
  readonly attentionDepth: number;
  readonly head: HeadVariant;
  /** Threads that take one row in layer-norm. */
  readonly normThreads: number;
  /** Threads that take one row in fold-log-softmax. */
  readonly foldThreads: number;
  /** Kernels of a Jacobi round, where lanes do not share their loads. */
  readonly jacobi: JacobiVariant;
  /** Threads per workgroup of the Jacobi round `direct`. */
  readonly jacobiThreads: number;
  /** What searches weights for NaN and infinities: if a CPU plays the GPU, the host itself is faster. */
  readonly finiteSearch: 'host' | 'gpu';
  /** Floating-point operations of a job's first submission; those after it follow the time measured (pace.ts). */
  readonly firstWork: number;
  /** How long a submission should take, in milliseconds. */
  readonly submissionMilliseconds: number;
  /** Operations that one dispatch over a group of matrices may hold; how many matrices make a group follows from it. */
  readonly groupWork: number;
  /**
   * Bytes of triangular factors that a group of matrices may have: each Jacobi round reads and writes all of them, so
   * they should stay in the last-level cache. WebGPU does not tell its size.
   */
  readonly groupBytes: number;
}

/** Decisions to take another way than the device suggests. Tests force every variant with it. */
export type TuningOverrides = Partial<Omit<Tuning, 'traits'>>;

/**
 * Reads a device's traits.
 * @param wantsMatrices whether subgroup matrices may be used
 */
export function traitsOf(device: GPUDevice, software: boolean, wantsMatrices = false): DeviceTraits {
  // Not every browser tells a device's adapter, and none tells subgroup sizes without the feature.
  const info = device.adapterInfo as Partial<GPUAdapterInfo> | undefined;
  const min = info?.subgroupMinSize ?? 0;
  const max = info?.subgroupMaxSize ?? 0;
  const isKnown = device.features.has('subgroups') && min > 0 && max >= min;
  return {
    software,
    subgroups: isKnown ? { min, max } : undefined,
    workgroupMemory: device.limits.maxComputeWorkgroupStorageSize,
    maxThreads: device.limits.maxComputeInvocationsPerWorkgroup,
    timestamps: device.features.has('timestamp-query'),
    ...(wantsMatrices && { matrices: matrixShapesOfDevice(device) }),
  };
}

/**
 * Decides how a device computes. On a CPU that plays the GPU, barriers are expensive and waiting threads cost time, so
 * workgroups are small. If its subgroups have four or eight lanes, lanes share their loads. Subgroup matrices make products
 * where the user asked for them.
 */
export function tune(traits: DeviceTraits, overrides: TuningOverrides = {}): Tuning {
  const { software } = traits;
  const fits = fitting(traits);
  const lanes = lanesOf(traits);
  const matrices = chooseMatrices(traits);
  return {
    traits,
    lanes,
    product: matrices ? 'matrices' : productOf(traits),
    largeTilesFrom: fitsTile(traits, 128) ? 128 : Infinity,
    ...(matrices && { matrices }),
    attention: variantOfLanes(lanes) ?? (!software && fits.wideAttention ? 'wide' : 'staged'),
    attentionDepth: fitsWideAttention(traits, 32) ? 32 : 16,
    head: !software && fits.tiles ? 'folded' : 'logits',
    normThreads: software ? 8 : 64,
    foldThreads: software ? 8 : 128,
    jacobi: !software && fits.stagedJacobi ? 'staged' : 'direct',
    jacobiThreads: software ? 16 : 64,
    finiteSearch: software ? 'host' : 'gpu',
    firstWork: software ? 2e8 : 2e9,
    submissionMilliseconds: 100,
    groupWork: software ? 2e8 : 2e11,
    groupBytes: software ? Infinity : 32 * 2 ** 20,
    ...overrides,
  };
}

/** Lanes that share their loads: those of a subgroup, on a CPU that plays the GPU. 0 if none do. */
function lanesOf({ software, subgroups }: DeviceTraits): Tuning['lanes'] {
  const size = software && subgroups?.min === subgroups?.max ? subgroups?.min : undefined;
  return size === 4 || size === 8 ? size : 0;
}

/** What kernels in which so many lanes share their loads are called; undefined if none do. */
export function variantOfLanes(lanes: Tuning['lanes']): 'lanes' | 'eight' | undefined {
  return lanes === 4 ? 'lanes' : lanes === 8 ? 'eight' : undefined;
}

/** The matrix product of a device without subgroup matrices. */
export function productOf(traits: DeviceTraits): ProductVariant {
  if (!traits.software) return fitting(traits).tiles ? 'tiles' : 'staged';
  return variantOfLanes(lanesOf(traits)) ?? 'direct';
}

/** Which kernels made for hardware a device's workgroups can run: tiles of products (and lm_head folded in them), and others. */
export function fitting(traits: DeviceTraits): {
  readonly tiles: boolean;
  readonly wideAttention: boolean;
  readonly stagedJacobi: boolean;
} {
  return {
    tiles: fitsTile(traits, 64),
    wideAttention: fitsWideAttention(traits, 16),
    stagedJacobi: traits.maxThreads >= 256 && traits.workgroupMemory >= 13_312,
  };
}

/** Whether a workgroup can make a square tile of a product: 8×8 per thread, and of each operand 16 terms in workgroup memory. */
function fitsTile({ workgroupMemory, maxThreads }: DeviceTraits, side: 64 | 128): boolean {
  return maxThreads >= (side / 8) ** 2 && workgroupMemory >= 2 * side * 16 * 4;
}

/** Whether a workgroup can take 64 queries and 32 keys: their scores, and so many dimensions of each, in workgroup memory. */
function fitsWideAttention({ workgroupMemory, maxThreads }: DeviceTraits, depth: number): boolean {
  return maxThreads >= 256 && workgroupMemory >= 4 * (64 * 32 + (64 + 32) * depth + 256 + 64);
}

/**
 * Cuts items into the minimum number of groups that a bound allows, as even as possible: 40 items of at most 30 are 20
 * + 20.
 * @returns the sizes of the groups, in order; they differ by one at most.
 */
export function evenGroups(items: number, most: number): number[] {
  const groups = Math.ceil(items / Math.max(1, Math.floor(most)));
  return Array.from(
    { length: groups },
    (_, group) => Math.floor(((group + 1) * items) / groups) - Math.floor((group * items) / groups),
  );
}

/** The decisions in words, one per line. */
export function describeTuning(tuning: Tuning): string[] {
  const { subgroups } = tuning.traits;
  const sizes = subgroups ? [...new Set([subgroups.min, subgroups.max])].join(' to ') : 'not available';
  return [
    `subgroups: ${sizes}; ${sharing(tuning)}`,
    `matrix product: ${productInWords(tuning)}; attention: ${tuning.attention}; log-softmax: ${tuning.head}`,
    `threads for a row: ${tuning.normThreads} in layer norm, ${tuning.foldThreads} in log-softmax; for a Jacobi round: ${tuning.jacobi === 'staged' ? 256 : tuning.jacobiThreads}`,
    `a submission starts with ${tuning.firstWork.toExponential(0)} operations, and should take ${tuning.submissionMilliseconds} ms`,
  ];
}

function productInWords({ product, matrices }: Tuning): string {
  if (product !== 'matrices' || !matrices) return product;
  const { component, rows, columns, terms } = matrices;
  const parts = component === 'f16' ? 'two parts of f16' : component;
  return `subgroup matrices of ${rows} × ${columns} × ${terms}, factors in ${parts}`;
}

function sharing({ lanes, product }: Tuning): string {
  if (lanes > 0) return `${lanes === 4 ? 'four' : 'eight'} lanes share their loads`;
  if (product === 'matrices') return 'their matrices make products';
  return product === 'eight' ? 'eight lanes share the loads of the matrix product' : 'not used';
}
