import { NumericalError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { Pace } from '../../engine/gpu/pace.ts';
import type { Recorder } from '../../engine/gpu/recorder.ts';
import { recordNorms } from './factorise.ts';
import { directionExtents, jacobiRound, jacobiSweepEnd, projectVectors, rowExtents } from './kernels.ts';
import { BLOCK, roundWork } from './workspace.ts';
import type { SpectrumWorkspace } from './workspace.ts';

/**
 * The most sweeps that one orthogonalisation may take. States take about 12; matrices of low rank, such as one of which
 * half the rows repeat the other half, about twice as many.
 */
export const MAX_SWEEPS = 60;
/** Sweeps between looks at which matrices have converged; the GPU stops by itself, this stops the empty rounds. */
const SWEEPS_PER_LOOK = 4;

/**
 * Makes the vectors of every matrix orthogonal by blocked one-sided Jacobi sweeps. `floors` must hold what counts as
 * zero.
 * @returns the sweeps each matrix took, the one that found it converged among them.
 * @throws NumericalError naming a matrix that did not converge in `maxSweeps` sweeps.
 */
export async function orthogonalise(
  gpu: Gpu,
  pace: Pace,
  workspace: SpectrumWorkspace,
  target: { vectors: GPUBuffer; length4: number },
  names: readonly string[],
  options: { onSweep?: (sweep: number) => void; maxSweeps?: number } = {},
): Promise<number[]> {
  const { buffers, matrices, pairs, shape } = workspace;
  const { worst, progress, workgroups, floors } = buffers;
  const { vectors, length4 } = target;
  const maxSweeps = Math.max(1, options.maxSweeps ?? MAX_SWEEPS);
  const blocks = shape.padded / BLOCK;
  const { jacobiThreads: threads } = gpu.tuning;
  gpu.write(workgroups, 0, new Uint32Array([pairs, matrices, 1]));
  pace.startJob('jacobi');
  await pace.add(0, (recorder) => {
    recorder.clear(worst);
    recorder.clear(progress);
  });
  const work = matrices * roundWork(shape.padded, length4);
  for (let sweep = 1; sweep <= maxSweeps; sweep++) {
    for (let round = 0; round < blocks - 1; round++) {
      const record = (recorder: Recorder): void => {
        recorder.dispatch(jacobiRound, {
          bindings: { vectors, floors, progress, worst },
          uniforms: { blocks, length4, round, crosswise: round === 0 ? 0 : 1 },
          constants: { threads },
          workgroups: { indirect: workgroups, offset: 0 },
        });
      };
      // After the first sweep, matrices may have converged, and rounds may be empty.
      await pace.add(work, record, sweep > 1);
    }
    await pace.add(0, (recorder) => {
      recorder.dispatch(jacobiSweepEnd, {
        bindings: { worst, progress, workgroups },
        uniforms: { matrices, pairs },
        workgroups: [1],
      });
    });
    options.onSweep?.(sweep);
    if (sweep % SWEEPS_PER_LOOK !== 0 && sweep !== maxSweeps) continue;
    await pace.finish();
    const state = new Uint32Array(await gpu.readBytes(progress, 0, 8 * matrices));
    const unfinished = names.findIndex((_, matrix) => state[2 * matrix] === 0);
    if (unfinished < 0) return names.map((_, matrix) => state[2 * matrix + 1]!);
    if (sweep === maxSweeps) {
      throw new NumericalError(
        `the spectrum of ${names[unfinished]} did not converge in ${maxSweeps} Jacobi sweeps; please report the matrix`,
      );
    }
  }
  return [];
}

/**
 * Projects the centred vectors on the directions of the orthogonalised triangular factor, with more digits than
 * float32 holds: `working` receives nearly orthogonal vectors whose lengths are the singular values, small ones too.
 * Jacobi on them afterwards is accurate to the last few bits of each (Demmel and Veselić, SIAM J. Matrix Anal. 13, 1992).
 */
export async function project(pace: Pace, workspace: SpectrumWorkspace): Promise<void> {
  const { shape, buffers, matrices } = workspace;
  const { vectors, padded, length4 } = shape;
  const { summary, centred, working, lower, norms, vectorOrder, floors, directions, extents } = buffers;
  const { vectorNorms, directionOrder, directionNorms } = buffers;
  pace.startJob('projection');
  await pace.add(8 * matrices * vectors * length4, (recorder) => {
    recordNorms(
      recorder,
      workspace,
      { vectors: centred, held: vectors, length4, scaled: true },
      { order: vectorOrder, sorted: vectorNorms },
    );
    recorder.dispatch(rowExtents, {
      bindings: { vectors: centred, summary, norms, extents },
      uniforms: { vectors, padded, length4 },
      workgroups: [Math.ceil(length4 / 64), matrices],
    });
    recordNorms(
      recorder,
      workspace,
      { vectors: lower, held: padded, length4: padded / 4, scaled: false },
      { order: directionOrder, sorted: directionNorms },
    );
    recorder.dispatch(directionExtents, {
      bindings: {
        lower,
        sorted: vectorNorms,
        order: directionOrder,
        norms: directionNorms,
        floors,
        directions,
      },
      uniforms: { padded },
      workgroups: [Math.ceil(padded / 32), matrices],
    });
  });
  const rowGroups = Math.ceil(length4 / 8);
  const groupWork = 12 * matrices * padded * vectors * 32;
  const groupsAtOnce = Math.max(1, Math.floor(pace.budget / groupWork));
  for (let first = 0; first < rowGroups; first += groupsAtOnce) {
    const groups = Math.min(groupsAtOnce, rowGroups - first);
    await pace.add(groups * groupWork, (recorder) => {
      recorder.dispatch(projectVectors, {
        bindings: {
          centred,
          summary,
          order: vectorOrder,
          sorted: vectorNorms,
          lower,
          directions,
          extents,
          projected: working,
        },
        uniforms: { vectors, padded, length4, first_group: first },
        workgroups: [groups, padded / 32, matrices],
      });
    });
  }
}
