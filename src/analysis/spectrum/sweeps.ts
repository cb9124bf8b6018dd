import { NumericalError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { Pace } from '../../engine/gpu/pace.ts';
import type { Recorder } from '../../engine/gpu/recorder.ts';
import {
  jacobiAnglesLanes,
  jacobiProductsLanes,
  jacobiRound,
  jacobiRoundStaged,
  jacobiSweepEnd,
  jacobiTurnsLanes,
} from './kernels.ts';
import { BLOCK, roundWork } from './workspace.ts';
import type { SpectrumWorkspace } from './workspace.ts';

/**
 * The maximum number of sweeps that one orthogonalisation may take. States take about 12; matrices of low rank, such as
 * one in which half of the rows repeat the others, take about twice as many.
 */
export const MAX_SWEEPS = 60;
/**
 * The number of sweeps between two checks of which matrices have converged. A check waits for the GPU; an unnecessary
 * sweep does almost nothing.
 */
const SWEEPS_PER_LOOK = 2;

/**
 * Makes the vectors w_j of every matrix's triangular factor orthogonal by blocked one-sided Jacobi sweeps. `floors` must
 * hold what counts as zero. A workgroup whose matrix has converged returns at once.
 * @returns the sweeps each matrix took, including the one that found it converged.
 * @throws NumericalError naming a matrix that did not converge in `maxSweeps` sweeps.
 */
export async function orthogonalise(
  gpu: Gpu,
  pace: Pace,
  workspace: SpectrumWorkspace,
  names: readonly string[],
  options: {
    onSweep?: (sweep: number) => void;
    maxSweeps?: number;
    /** The sweep after which to check first which matrices have converged. */
    firstLook?: number;
  } = {},
): Promise<number[]> {
  const { buffers, matrices, pairs, shape } = workspace;
  const { worst, progress, floors, grams, steps, turns, lower: vectors } = buffers;
  const { padded } = shape;
  const maxSweeps = Math.max(1, options.maxSweeps ?? MAX_SWEEPS);
  const blocks = padded / BLOCK;
  const { jacobi, jacobiThreads: threads, lanes } = gpu.tuning;
  pace.startJob('jacobi');
  await pace.add(0, (recorder) => {
    recorder.clear(worst);
    recorder.clear(progress);
  });
  const work = matrices * roundWork(padded);
  let nextLook = options.firstLook ?? 1;
  for (let sweep = 1; sweep <= maxSweeps; sweep++) {
    for (let round = 0; round < blocks - 1; round++) {
      const record = (recorder: Recorder): void => {
        const common = { vectors, floors, progress, worst };
        const uniforms = { blocks, length4: padded / 4, round, crosswise: round === 0 ? 0 : 1 };
        const workgroups = [pairs, matrices] as const;
        if (lanes > 0) {
          recordLanesRound(recorder, lanes, { ...common, grams, steps, turns }, uniforms, workgroups);
        } else if (jacobi === 'staged') {
          recorder.dispatch(jacobiRoundStaged, { bindings: common, uniforms, workgroups });
        } else {
          recorder.dispatch(jacobiRound, { bindings: common, uniforms, constants: { threads }, workgroups });
        }
      };
      // After the first sweep, matrices may have converged, and rounds may be empty.
      await pace.add(work, record, sweep > 1);
    }
    await pace.add(0, (recorder) => {
      recorder.dispatch(jacobiSweepEnd, {
        bindings: { worst, progress },
        uniforms: { matrices },
        workgroups: [1],
      });
    });
    options.onSweep?.(sweep);
    if (sweep < nextLook && sweep !== maxSweeps) continue;
    nextLook = sweep + SWEEPS_PER_LOOK;
    const [read] = await pace.read([{ buffer: progress, size: 8 * matrices }]);
    const state = new Uint32Array(read);
    const unfinished = names.findIndex((_, matrix) => state[2 * matrix] === 0);
    if (unfinished < 0) return names.map((_, matrix) => state[2 * matrix + 1]!);
    if (sweep === maxSweeps) {
      throw new NumericalError(
        `the spectrum of ${names[unfinished]} did not converge in ${maxSweeps} Jacobi sweeps; please report the matrix`,
        { code: 'not-converged', subject: { kind: 'matrix', name: names[unfinished]! } },
      );
    }
  }
  return [];
}

/** The three parts of a round in which lanes share their loads. Apart they take half as long to compile as together. */
export function recordLanesRound(
  recorder: Recorder,
  lanes: number,
  buffers: Record<'vectors' | 'floors' | 'progress' | 'worst' | 'grams' | 'steps' | 'turns', GPUBuffer>,
  uniforms: { blocks: number; length4: number; round: number; crosswise: number },
  workgroups: readonly [pairs: number, matrices: number],
): void {
  const { vectors, floors, progress, worst, grams, steps, turns } = buffers;
  const constants = { lanes };
  recorder.dispatch(jacobiProductsLanes, {
    bindings: { vectors, progress, grams },
    uniforms,
    constants,
    workgroups,
  });
  recorder.dispatch(jacobiAnglesLanes, {
    bindings: { grams, floors, progress, worst, steps, turns },
    uniforms,
    workgroups,
  });
  recorder.dispatch(jacobiTurnsLanes, {
    bindings: { steps, turns, progress, vectors },
    uniforms,
    constants,
    workgroups,
  });
}
