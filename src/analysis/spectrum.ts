import { InputError, NumericalError } from '../engine/errors.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { Pace } from '../engine/gpu/pace.ts';
import type { Recorder } from '../engine/gpu/recorder.ts';
import { MAX_WORKGROUPS } from '../engine/gpu/row-ranges.ts';
import { checkVariants } from '../engine/gpu/self-test.ts';
import type { VariantCheck } from '../engine/gpu/self-test.ts';
import { evenGroups } from '../engine/gpu/tuning.ts';
import { readDirections } from './spectrum/directions.ts';
import type { Directions } from './spectrum/directions.ts';
import { factorise, recordCentring, recordNorms, sortVectors } from './spectrum/factorise.ts';
import { cumulativePercent, jacobiRound, jacobiRoundStaged } from './spectrum/kernels.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';
import { laneKernels, portableKernels, spectrumKernels } from './spectrum/prepare.ts';
import { project } from './spectrum/projection.ts';
import { MAX_SWEEPS, orthogonalise } from './spectrum/sweeps.ts';
import { matricesAtOnce, spectrumShape, SpectrumWorkspace } from './spectrum/workspace.ts';
import type { SpectrumShape } from './spectrum/workspace.ts';

export interface Spectrum {
  /** σ of the column-centred matrix, descending; min(rows, columns) of them. */
  readonly singularValues: Float32Array;
  /** 100 · (σ₁² + … + σ_k²) / Σσ²; zeros if there is no variance. */
  readonly cumulativePercent: Float32Array;
  /** Jacobi sweeps until the matrix had converged. */
  readonly sweeps: number;
  /** Where they were asked for. */
  readonly directions: Directions | undefined;
}

export interface SpectrumOptions {
  readonly signal?: AbortSignal;
  /** Called with work done and work in all, in sweeps or their like; ends with done = total. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The maximum number of bytes of scratch to hold on the GPU; a single matrix may need more. Default 512 MiB. */
  readonly scratchBytes?: number;
  /** The maximum number of sweeps of one orthogonalisation before the matrix is given up. Default 60. */
  readonly maxSweeps?: number;
  /** Read the singular vectors back, too; a matrix's take up to twice its own size. */
  readonly withDirections?: boolean;
  /**
   * Stop after the first orthogonalisation: singular values are within 5e-6 of the largest one then, which is enough for
   * what their large ones decide. Takes two thirds of the time.
   */
  readonly isCoarse?: boolean;
}

/** The integer column sums stay exact up to this many rows. */
const MAX_ROWS = 2 ** 18;
/** Centring takes 16 columns per workgroup. */
const MAX_COLUMNS = 16 * MAX_WORKGROUPS;
/** Progress steps per group of matrices: usual sweeps of the two orthogonalisations, and five other stages. */
const EXPECTED_SWEEPS = [12, 2] as const;
const STEPS = EXPECTED_SWEEPS[0] + EXPECTED_SWEEPS[1] + 5;
/** Sweeps after which some matrices of a group may have converged, in either orthogonalisation. */
const FIRST_LOOKS = [9, 1] as const;

/**
 * Singular values and cumulative variance of column-centred matrices of one shape, on the GPU.
 *
 * First comes Householder QR of the norm-sorted centred matrix, then one-sided Jacobi on Rᵀ (Drmač and Veselić, SIAM J.
 * Matrix Anal. 29, 2008). Then the matrix is projected on the directions found, more exactly than float32. QR and Jacobi
 * run once more on the projection: its columns are nearly orthogonal, so Rᵀ is nearly diagonal, and one sweep is enough.
 * Everything that is allocated is freed, also on failure.
 *
 * @param matrices of equal [rows, columns]; they are read, never written.
 * @returns one spectrum per matrix, in order.
 * @throws NumericalError naming a matrix that holds NaN or infinity, does not converge, or whose values overflow.
 * @throws InputError if shapes differ or are empty, rows exceed 2^18 or columns 1 048 560.
 * @throws DeviceError if one matrix does not fit a binding.
 */
export async function computeSpectra(
  gpu: Gpu,
  matrices: readonly MatrixView[],
  options: SpectrumOptions = {},
): Promise<Spectrum[]> {
  await checkVariants(gpu, spectrumChecks);
  await gpu.kernels.prepare(spectrumKernels(gpu.tuning));
  return spectraOfAll(gpu, matrices, options);
}

/** Singular values of a matrix whose vectors make two pairs of blocks. */
async function smallSpectrum(gpu: Gpu): Promise<Float32Array> {
  const [rows, columns] = [40, 70];
  const values = Float32Array.from({ length: rows * columns }, (_, at) => Math.sin(1 + at * 12.9898));
  using matrix = gpu.upload('matrix', [rows, columns], values);
  const view = { name: 'a matrix of the self-test', buffer: matrix.buffer, offset: 0, rows, columns };
  const [spectrum] = await spectraOfAll(gpu, [view], {});
  return spectrum!.singularValues;
}

/** The Jacobi rounds for hardware. */
const STAGED_ROUNDS: VariantCheck = {
  name: 'the Jacobi round of 256 threads',
  isUsed: ({ jacobi, lanes }) => jacobi === 'staged' && lanes === 0,
  kernels: [jacobiRoundStaged, jacobiRound],
  forced: {},
  portable: { jacobi: 'direct' },
  run: smallSpectrum,
};

/** Kernels of the spectrum in which eight lanes share their loads: Laminar's own tests run where subgroups have four. */
const EIGHT_LANES: VariantCheck = {
  name: 'the spectrum by eight lanes',
  isUsed: ({ lanes }) => lanes === 8,
  onSoftware: true,
  kernels: [...laneKernels, ...portableKernels],
  forced: {},
  portable: { lanes: 0 },
  run: smallSpectrum,
};

/** The kernels that spectra take and that are tested before their first use. */
export const spectrumChecks: readonly VariantCheck[] = [STAGED_ROUNDS, EIGHT_LANES];

async function spectraOfAll(
  gpu: Gpu,
  matrices: readonly MatrixView[],
  options: SpectrumOptions,
): Promise<Spectrum[]> {
  const [model] = matrices;
  if (!model) return [];
  checkShapes(matrices, model);
  const shape = spectrumShape(model.rows, model.columns);
  const maxMatrices = matricesAtOnce(gpu, shape, options.scratchBytes ?? 2 ** 29, model.name);
  const groups = evenGroups(matrices.length, maxMatrices);
  const spectra: Spectrum[] = [];
  for (const [group, size] of groups.entries()) {
    const views = matrices.slice(spectra.length, spectra.length + size);
    const onStep = (step: number) => options.onProgress?.(group * STEPS + step, groups.length * STEPS);
    spectra.push(...(await spectraOfGroup(gpu, shape, views, options, onStep)));
    onStep(STEPS);
  }
  return spectra;
}

function checkShapes(matrices: readonly MatrixView[], { rows, columns }: MatrixView): void {
  for (const { name, ...view } of matrices) {
    const subject = { kind: 'matrix', name } as const;
    if (view.rows !== rows || view.columns !== columns) {
      throw new InputError(
        `${name} is ${view.rows} x ${view.columns}, not ${rows} x ${columns} like the others; give matrices of one shape`,
        { code: 'matrix-shape', subject },
      );
    }
    if (rows < 1 || columns < 1)
      throw new InputError(`${name} is empty (${rows} x ${columns})`, { code: 'matrix-shape', subject });
    if (rows > MAX_ROWS) {
      throw new InputError(
        `${name} has ${rows} rows; at most ${MAX_ROWS} can be centred: take fewer tokens`,
        { code: 'matrix-shape', subject },
      );
    }
    if (columns > MAX_COLUMNS) {
      throw new InputError(
        `${name} has ${columns} columns; at most ${MAX_COLUMNS} can be centred: take fewer features`,
        { code: 'matrix-shape', subject },
      );
    }
  }
}

async function spectraOfGroup(
  gpu: Gpu,
  shape: SpectrumShape,
  views: readonly MatrixView[],
  options: SpectrumOptions,
  onStep: (step: number) => void,
): Promise<Spectrum[]> {
  const { vectors, padded } = shape;
  const matrices = views.length;
  const names = views.map(({ name }) => name);
  const pace = new Pace(gpu, 'centring', options.signal);
  const maxSweeps = options.maxSweeps ?? MAX_SWEEPS;
  using workspace = new SpectrumWorkspace(gpu, shape, matrices);
  const { buffers } = workspace;

  await pace.add(0, (recorder) => recorder.clear(buffers.summary));
  for (const [slot, view] of views.entries()) {
    await pace.add(32 * shape.rows * shape.columns, (recorder) =>
      recordCentring(gpu, recorder, workspace, view, slot),
    );
  }
  const [summed] = await pace.read([{ buffer: buffers.summary, size: 16 * matrices }]);
  const summary = new Uint32Array(summed);
  for (const [slot, name] of names.entries()) {
    if (summary[4 * slot] !== 0) {
      throw new NumericalError(
        `${name} holds NaN or infinity; check the weights and the input it came from`,
        { code: 'matrix-not-finite', subject: { kind: 'matrix', name } },
      );
    }
  }
  onStep(1);

  await sortVectors(pace, workspace);
  await factorise(gpu.tuning, pace, workspace);
  onStep(2);
  const [firstSweeps, lastSweeps] = EXPECTED_SWEEPS;
  const first = await orthogonalise(gpu, pace, workspace, names, {
    onSweep: (sweep) => onStep(2 + Math.min(sweep, firstSweeps)),
    maxSweeps,
    firstLook: FIRST_LOOKS[0],
  });
  let directions: Directions[] = [];
  let last: readonly number[] = [];
  if (!options.isCoarse) {
    await project(gpu.tuning, pace, workspace);
    if (options.withDirections) directions = await readDirections(pace, workspace);
    onStep(3 + firstSweeps);
    await factorise(gpu.tuning, pace, workspace);
    await pace.add(0, (recorder) => recordFactorNorms(recorder, workspace));
    onStep(4 + firstSweeps);
    last = await orthogonalise(gpu, pace, workspace, names, {
      onSweep: (sweep) => onStep(4 + firstSweeps + Math.min(sweep, lastSweeps)),
      maxSweeps,
      firstLook: FIRST_LOOKS[1],
    });
  }

  await pace.add(0, (recorder) => {
    recordFactorNorms(recorder, workspace);
    recorder.dispatch(cumulativePercent, {
      bindings: { singularValues: buffers.directionNorms, percent: buffers.cumulative },
      uniforms: { values: vectors, stride: padded },
      workgroups: [matrices],
    });
  });
  const read = await pace.read([{ buffer: buffers.directionNorms }, { buffer: buffers.cumulative }]);
  const [scaledValues, percents] = [new Float32Array(read[0]), new Float32Array(read[1])];
  return views.map(({ name }, slot) => {
    const range = [slot * padded, slot * padded + vectors] as const;
    const scale = powerOfTwoTakenOut(summary[4 * slot + 1]!, summary[4 * slot + 2]!);
    const singularValues = scaledValues.slice(...range).map((value) => value * scale);
    if (!Number.isFinite(singularValues[0])) {
      throw new NumericalError(`the singular values of ${name} exceed the range of float32; scale it down`, {
        code: 'matrix-out-of-range',
        subject: { kind: 'matrix', name },
      });
    }
    return {
      singularValues,
      cumulativePercent: percents.slice(...range),
      sweeps: first[slot]! + (last[slot] ?? 0),
      directions: directions[slot],
    };
  });
}

/** Norms of the triangular factor's vectors, sorted, into `directionNorms`. */
function recordFactorNorms(recorder: Recorder, workspace: SpectrumWorkspace): void {
  const { buffers, shape } = workspace;
  recordNorms(
    recorder,
    workspace,
    { vectors: buffers.lower, held: shape.padded, length4: shape.padded / 4, scaled: false },
    { order: buffers.directionOrder, sorted: buffers.directionNorms },
  );
}

/** What the kernels divided the matrix by: 2^e of column-means, then that of gather-vectors. */
function powerOfTwoTakenOut(inputMagnitudeBits: number, centredMagnitudeBits: number): number {
  const input = Math.max(inputMagnitudeBits >>> 23, 1) - 126;
  const centred = (centredMagnitudeBits >>> 23) - 126;
  return 2 ** (input + centred);
}
