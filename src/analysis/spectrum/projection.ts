import type { Pace } from '../../engine/gpu/pace.ts';
import type { Tuning } from '../../engine/gpu/tuning.ts';
import { recordNorms } from './factorise.ts';
import { directionExtents, projectVectors, projectVectorsLanes, rowExtents } from './kernels.ts';
import type { SpectrumWorkspace } from './workspace.ts';

/**
 * Projects the centred vectors on the directions of the orthogonalised triangular factor, with more digits than
 * float32 holds: `working` receives nearly orthogonal vectors whose lengths are the singular values, small ones too,
 * largest first. Jacobi on them afterwards is accurate to the last few bits of each (Demmel and Veselić, SIAM J. Matrix
 * Anal. 13, 1992).
 */
export async function project({ lanes }: Tuning, pace: Pace, workspace: SpectrumWorkspace): Promise<void> {
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
  const { kernel, rows, columns } =
    lanes > 0
      ? { kernel: projectVectorsLanes, rows: 4 * lanes, columns: 16 }
      : { kernel: projectVectors, rows: 32, columns: 32 };
  const rowGroups = Math.ceil((4 * length4) / rows);
  const groupWork = 6 * matrices * padded * vectors * rows;
  const groupsAtOnce = Math.max(1, Math.floor(pace.budget / groupWork));
  for (let first = 0; first < rowGroups; first += groupsAtOnce) {
    const groups = Math.min(groupsAtOnce, rowGroups - first);
    await pace.add(groups * groupWork, (recorder) => {
      recorder.dispatch(kernel, {
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
        uniforms: { vectors, padded, length4, firstGroup: first },
        constants: { lanes },
        workgroups: [groups, padded / columns, matrices],
      });
    });
  }
}
