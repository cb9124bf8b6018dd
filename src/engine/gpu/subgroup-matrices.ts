import type { AdapterReport } from './options.ts';
import type { DeviceTraits } from './tuning.ts';

/** The feature under which Dawn offers subgroup matrices; it does so only where unsafe interfaces are allowed. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** A product of matrices that a subgroup can add to a sum in F32: rows × terms by terms × columns. */
export interface MatrixShape {
  /** The type of the factors. */
  readonly component: 'f16' | 'f32';
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
}

/** The subgroup matrices of a matrix product, and the threads of its workgroup: four of the largest subgroups. */
export interface SubgroupMatrices extends MatrixShape {
  readonly threads: number;
}

/** What an adapter says of its subgroup matrices: not part of the published types yet. */
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Terms that the kernel takes into workgroup memory at once: a multiple of a matrix' terms. */
const DEPTH = 16;

/** A device does not tell its shapes in Node; its adapter does. */
const known = new WeakMap<GPUDevice, readonly MatrixShape[]>();

/** The shapes that an adapter or a device offers with sums in F32; none without the feature. */
export function matrixShapesOf({
  features,
  info,
}: {
  readonly features: GPUSupportedFeatures;
  readonly info: GPUAdapterInfo | undefined;
}): MatrixShape[] {
  if (!features.has(MATRIX_FEATURE)) return [];
  const { subgroupMatrixConfigs = [] } = (info ?? {}) as { subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  return Array.from(subgroupMatrixConfigs).flatMap(({ componentType, resultComponentType, M, N, K }) => {
    const isHalf = componentType === 'f16' && features.has('shader-f16');
    if (resultComponentType !== 'f32' || !(isHalf || componentType === 'f32')) return [];
    return [{ component: isHalf ? 'f16' : 'f32', rows: M, columns: N, terms: K } as const];
  });
}

/** The shapes of a device: what is known from its adapter, or what it tells itself. */
export function matrixShapesOfDevice(device: GPUDevice): readonly MatrixShape[] {
  return known.get(device) ?? matrixShapesOf({ features: device.features, info: device.adapterInfo });
}

/** Keeps what the adapter of a device offers. */
export function keepMatrixShapes(device: GPUDevice, shapes: readonly MatrixShape[]): void {
  known.set(device, shapes);
}

/**
 * The shape that a matrix product takes: F32 if there is any, because nothing must be split then; else F16. Of several,
 * the largest that fits a workgroup of four subgroups.
 * @returns undefined if the device has none that fits
 */
export function chooseMatrices({
  matrices = [],
  subgroups,
  maxThreads,
  workgroupMemory,
}: DeviceTraits): SubgroupMatrices | undefined {
  if (!subgroups) return undefined;
  const threads = 4 * subgroups.max;
  if (threads > maxThreads) return undefined;
  const size = ({ rows, columns, terms }: MatrixShape): number => rows * columns * terms;
  const [best] = matrices
    .filter((shape) => DEPTH % shape.terms === 0 && matrixMemory(shape) <= workgroupMemory)
    .sort((one, other) =>
      one.component === other.component
        ? size(other) - size(one)
        : Number(other.component === 'f32') - Number(one.component === 'f32'),
    );
  return best && { ...best, threads };
}

/** Bytes of workgroup memory: both tiles in their parts, a result per subgroup, a maximum per row and column. */
function matrixMemory({ component, rows, columns }: MatrixShape): number {
  const lines = 4 * (rows + columns);
  // Two parts of two bytes, or one of four.
  const tiles = lines * DEPTH * 4 + (component === 'f32' ? 8 : 0);
  return tiles + 4 * rows * columns * 4 + lines * 4;
}

/** What the user is told who asked for subgroup matrices in vain. */
export function noMatrices({ description }: AdapterReport): string {
  return (
    `${description} offers no subgroup matrices that Laminar can use (the feature ${MATRIX_FEATURE}, with sums in F32); ` +
    'the ordinary matrix product computes'
  );
}

/** What stands before the kernel's text: its directives, and constants that must be known when it is compiled. */
export function matricesHead({ component, rows, columns, terms, threads }: SubgroupMatrices): string {
  return [
    'enable subgroups;',
    'enable chromium_experimental_subgroup_matrix;',
    ...(component === 'f16' ? ['enable f16;'] : []),
    `alias Part = ${component};`,
    `const SPLIT = ${component === 'f16'};`,
    `const MATRIX_ROWS = ${rows}u;`,
    `const MATRIX_COLUMNS = ${columns}u;`,
    `const MATRIX_TERMS = ${terms}u;`,
    `const THREADS = ${threads}u;`,
  ].join('\n');
}
