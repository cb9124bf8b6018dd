import type { PipelineRequest } from '../../engine/gpu/kernel.ts';
import type { Tuning } from '../../engine/gpu/tuning.ts';
import {
  centreColumns,
  columnMeans,
  cumulativePercent,
  directionExtents,
  gatherVectors,
  jacobiAnglesLanes,
  jacobiProductsLanes,
  jacobiRound,
  jacobiRoundStaged,
  jacobiSweepEnd,
  jacobiTurnsLanes,
  orderDescending,
  projectVectors,
  projectVectorsLanes,
  qrPanel,
  qrPanelLanes,
  qrUpdate,
  qrUpdateLanes,
  rowExtents,
  transposeTriangle,
  vectorNorms,
} from './kernels.ts';

/** The kernels in which lanes of a subgroup share their loads. The most expensive to compile first. */
export const laneKernels = [
  jacobiProductsLanes,
  jacobiAnglesLanes,
  jacobiTurnsLanes,
  projectVectorsLanes,
  qrUpdateLanes,
  qrPanelLanes,
];

/** What stands for them where lanes do not share. */
export const portableKernels = [jacobiRound, projectVectors, qrUpdate, qrPanel];

/** The kernels that spectra take on a device, to be compiled several at once and beside other work. */
export function spectrumKernels({ lanes, jacobi, jacobiThreads: threads }: Tuning): PipelineRequest[] {
  const constants = { lanes, threads };
  const portable = portableKernels.map((kernel) =>
    kernel === jacobiRound && jacobi === 'staged' ? jacobiRoundStaged : kernel,
  );
  const variants: PipelineRequest[] = (lanes > 0 ? laneKernels : portable).map((kernel) => ({
    kernel,
    constants,
  }));
  return [
    ...variants,
    ...[
      centreColumns,
      columnMeans,
      vectorNorms,
      orderDescending,
      gatherVectors,
      transposeTriangle,
      rowExtents,
      directionExtents,
      jacobiSweepEnd,
      cumulativePercent,
    ].map((kernel) => ({ kernel })),
  ];
}
