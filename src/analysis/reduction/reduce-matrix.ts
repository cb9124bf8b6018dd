import { inSlices } from '../../engine/abort.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { EditedMatrix } from '../../engine/hooks.ts';
import { layerDimensions } from '../dimensions.ts';
import { profileDefaults } from '../report.ts';
import { computeSpectra } from '../spectrum.ts';
import type { Spectrum } from '../spectrum.ts';
import type { MatrixView } from '../spectrum/matrix-view.ts';
import { checkComponents, percentOf } from './components.ts';
import type { Components } from './components.ts';
import { componentImages, rebuildState, stateMeans } from './kernels.ts';
import { leadingBasisSteps } from './leading-basis.ts';

const THREADS = 64;
/** The number of components that the kernels take at once. */
const COMPONENTS_AT_ONCE = 4;

export interface ReduceOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a cut kept. */
export interface Cut {
  /** r, at most the rank. */
  readonly components: number;
  /** The explained part of the variance, in percent: 100 · Σ_{k ≤ r} σ_k² / Σσ²; null without variance. */
  readonly explained: number | null;
}

/**
 * A matrix of tokens by features on the GPU, decomposed once and cut to any number of its first components:
 * μ + (X − μ) V_r V_rᵀ, with V_r the first r right singular vectors of X − μ and μ the columns' means.
 */
export class ReducibleMatrix implements Disposable {
  private constructor(
    private readonly gpu: Gpu,
    private readonly matrix: Omit<MatrixView, 'isCentred' | 'offset'>,
    private readonly spectrum: Spectrum,
    private readonly means: GPUBuffer,
    private readonly signal: AbortSignal | undefined,
    /** How many components have a singular value above the rank tolerance. */
    readonly rank: number,
  ) {}

  /**
   * Decomposes a matrix. It stays the caller's, and must not change before the last cut.
   * @throws NumericalError if it holds NaN or infinity
   */
  static async open(
    gpu: Gpu,
    matrix: Omit<MatrixView, 'isCentred' | 'offset'>,
    { signal }: ReduceOptions = {},
  ): Promise<ReducibleMatrix> {
    const { rows, columns, buffer } = matrix;
    const [spectrum] = await computeSpectra(gpu, [{ ...matrix, offset: 0 }], {
      withDirections: true,
      ...(signal && { signal }),
    });
    const { rank } = layerDimensions(spectrum!.singularValues, rows, columns, profileDefaults.threshold);
    const means = gpu.allocate(`means of ${matrix.name}`, 4 * columns);
    const recorder = gpu.recorder();
    recorder.dispatch(stateMeans, {
      bindings: { matrix: buffer, means },
      uniforms: { rows, columns },
      workgroups: [Math.ceil(columns / THREADS)],
    });
    recorder.submit();
    return new ReducibleMatrix(gpu, matrix, spectrum!, means, signal, rank);
  }

  /** σ, descending, [min(rows, columns)]. */
  get singularValues(): Float32Array {
    return this.spectrum.singularValues;
  }

  /** The number of components that a request means; at most the rank. */
  cutOf(components: Components): Cut {
    checkComponents(components);
    const { rows, columns } = this.matrix;
    const { singularValues, cumulativePercent } = this.spectrum;
    const percent = percentOf(components);
    const asked =
      percent === undefined
        ? Number(components)
        : layerDimensions(singularValues, rows, columns, percent, cumulativePercent).effective_dimension;
    const count = Math.min(asked, this.rank);
    // Beyond the rank there is rounding alone.
    const explained = count === this.rank ? 100 : Math.min(100, cumulativePercent[count - 1]!);
    return { components: count, explained: this.rank === 0 ? null : explained };
  }

  /**
   * Writes the matrix, cut, to a buffer, which may be its own. Cut to as many components as its rank, it stays as it
   * is, bit for bit.
   * @param target F32 [rows, columns]
   * @throws the signal's reason if it aborts
   */
  async reduceTo(components: Components, target: GPUBuffer): Promise<Cut> {
    const cut = this.cutOf(components);
    const { gpu, matrix, means } = this;
    const { buffer, rows, columns } = matrix;
    const recorder = gpu.recorder();
    if (cut.components === this.rank) {
      if (target !== buffer) recorder.copy(buffer, 0, target, 0, 4 * rows * columns);
      recorder.submit();
      return cut;
    }
    const { vectors, length, transposed } = this.spectrum.directions!;
    const padded = COMPONENTS_AT_ONCE * Math.ceil(cut.components / COMPONENTS_AT_ONCE);
    const kept = new Float32Array(padded * vectors);
    kept.set(await inSlices(leadingBasisSteps(this.spectrum.directions!, cut.components), this.signal));
    const basis = gpu.allocate(`basis of ${matrix.name}`, kept.byteLength);
    let images: GPUBuffer | undefined;
    try {
      images = gpu.allocate(`images of ${matrix.name}`, 4 * padded * length);
      gpu.write(basis, 0, kept);
      const uniforms = { vectors, length, transposed: Number(transposed) };
      recorder.dispatch(componentImages, {
        bindings: { matrix: buffer, means, basis, images },
        uniforms,
        workgroups: [Math.ceil(length / THREADS), padded / COMPONENTS_AT_ONCE],
      });
      recorder.dispatch(rebuildState, {
        bindings: { means, basis, images, reduced: target },
        uniforms: { ...uniforms, components: cut.components },
        workgroups: [Math.ceil(columns / THREADS), rows],
      });
      recorder.submit();
    } finally {
      if (images) gpu.free(images);
      gpu.free(basis);
    }
    return cut;
  }

  [Symbol.dispose](): void {
    this.gpu.free(this.means);
  }
}

/**
 * An edit that cuts an activation, a matrix of tokens by features, to its first components; its columns' means stay:
 * `{ at: 'blocks.3.hook_resid_post', ...keepComponents('95%') }`.
 * @param components how many, or a percent of the variance that they are to exceed
 * @param onCut told what was kept, for each sequence
 * @throws InputError if it is neither; the edit throws the signal's reason if the run's signal aborts
 */
export function keepComponents(
  components: Components,
  onCut?: (cut: Cut, matrix: Pick<EditedMatrix, 'name' | 'sequence'>) => void,
): { readonly op: 'transform'; readonly transform: (matrix: EditedMatrix) => Promise<void> } {
  checkComponents(components);
  return {
    op: 'transform',
    transform: async (matrix) => {
      using reducible = await ReducibleMatrix.open(matrix.gpu, matrix, { signal: matrix.signal });
      onCut?.(await reducible.reduceTo(components, matrix.buffer), matrix);
    },
  };
}
