import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { Pace } from '../../engine/gpu/pace.ts';
import type { Recorder } from '../../engine/gpu/recorder.ts';
import type { Tuning } from '../../engine/gpu/tuning.ts';
import type { MatrixView } from './matrix-view.ts';
import {
  centreColumns,
  columnMeans,
  gatherVectors,
  orderDescending,
  qrPanel,
  qrPanelLanes,
  qrUpdate,
  qrUpdateLanes,
  transposeTriangle,
  vectorNorms,
} from './kernels.ts';
import type { SpectrumWorkspace } from './workspace.ts';

const PANEL = 16;

/** Centres matrix number `slot` of the group into `centred`, and notes its magnitudes in `summary`. */
export function recordCentring(
  gpu: Gpu,
  recorder: Recorder,
  workspace: SpectrumWorkspace,
  view: MatrixView,
  slot: number,
): void {
  const { shape, buffers } = workspace;
  const { rows, columns, vectors, transposed } = shape;
  const stride = 4 * shape.length4;
  const alignment = gpu.device.limits.minStorageBufferOffsetAlignment;
  const bindingOffset = Math.floor((4 * view.offset) / alignment) * alignment;
  const offset = view.offset - bindingOffset / 4;
  const matrix = { buffer: view.buffer, offset: bindingOffset, size: 4 * (offset + rows * columns) };
  const { means, summary, centred } = buffers;
  recorder.dispatch(columnMeans, {
    bindings: { matrix, means, summary },
    uniforms: { rows, columns, offset, slot },
    workgroups: [Math.ceil(columns / 64)],
  });
  if (view.isCentred) recorder.clear(means); // means of 0, and magnitudes below 2^0
  recorder.dispatch(centreColumns, {
    bindings: { matrix, means, summary, centred },
    uniforms: {
      rows,
      columns,
      offset,
      slot,
      transposed: transposed ? 1 : 0,
      stride,
      targetOffset: slot * vectors * stride,
    },
    workgroups: [Math.ceil(stride / 16), Math.ceil(vectors / 16)],
  });
}

/** Sorts vectors by norm; `order` and `sorted` receive the ranks' vectors and norms, `floors` what counts as zero. */
export function recordNorms(
  recorder: Recorder,
  workspace: SpectrumWorkspace,
  of: { vectors: GPUBuffer; held: number; length4: number; scaled: boolean },
  into: { order: GPUBuffer; sorted: GPUBuffer },
): void {
  const { shape, buffers, matrices } = workspace;
  const { padded } = shape;
  recorder.dispatch(vectorNorms, {
    bindings: { vectors: of.vectors, summary: buffers.summary, norms: buffers.norms },
    uniforms: {
      vectors: of.held,
      live: shape.vectors,
      length4: of.length4,
      padded,
      scaled: of.scaled ? 1 : 0,
    },
    workgroups: [padded, matrices],
  });
  recorder.dispatch(orderDescending, {
    bindings: { norms: buffers.norms, ...into, floors: buffers.floors },
    uniforms: { padded },
    workgroups: [Math.ceil(padded / 64), matrices],
  });
}

/** Sorts the centred vectors by norm, largest first, into `working`. */
export async function sortVectors(pace: Pace, workspace: SpectrumWorkspace): Promise<void> {
  const { shape, buffers, matrices } = workspace;
  const { vectors, padded, length4 } = shape;
  const { summary, centred, working, floors, vectorOrder: order, vectorNorms: sorted } = buffers;
  pace.startJob('factorisation');
  await pace.add(8 * matrices * vectors * length4, (recorder) => {
    recordNorms(
      recorder,
      workspace,
      { vectors: centred, held: vectors, length4, scaled: true },
      { order, sorted },
    );
    recorder.dispatch(gatherVectors, {
      bindings: { source: centred, summary, order, sorted, floors, gathered: working },
      uniforms: { vectors, padded, length4 },
      workgroups: [Math.ceil(length4 / 64), padded, matrices],
    });
  });
}

/** Factors the vectors of `working`, in place: `lower` becomes L = R' of their QR factorisation. */
export async function factorise({ lanes }: Tuning, pace: Pace, workspace: SpectrumWorkspace): Promise<void> {
  const { shape, buffers, matrices } = workspace;
  const { vectors, padded, length4 } = shape;
  const { working, reflectors, triangle, lower } = buffers;
  const constants = { lanes };
  pace.startJob('factorisation');
  for (let first = 0; first < vectors; first += PANEL) {
    const rest = Math.max(0, vectors - first - PANEL);
    const rows = 4 * length4 - first;
    await pace.add(4 * matrices * rows * PANEL * (PANEL + rest), (recorder) => {
      recorder.dispatch(lanes > 0 ? qrPanelLanes : qrPanel, {
        bindings: { columns: working, reflectors, triangle },
        uniforms: { columns: vectors, padded, length4, first },
        constants,
        workgroups: [matrices],
      });
      recorder.dispatch(lanes > 0 ? qrUpdateLanes : qrUpdate, {
        bindings: { columns: working, reflectors, triangle },
        uniforms: { padded, length4, first },
        constants,
        workgroups: [Math.ceil(rest / PANEL), matrices],
      });
    });
  }
  await pace.add(matrices * padded * padded, (recorder) => {
    recorder.dispatch(transposeTriangle, {
      bindings: { factored: working, lower },
      uniforms: { columns: vectors, padded, stride: 4 * length4 },
      workgroups: [Math.ceil(padded / 16), Math.ceil(padded / 16), matrices],
    });
  });
}
