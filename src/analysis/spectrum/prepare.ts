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

/** The kernels that spectra take on a device, to be compiled several at once and beside other work. */
export function spectrumKernels({ lanes, jacobi, jacobiThreads: threads }: Tuning): PipelineRequest[] {
  const portableRound =
    jacobi === 'staged' ? { kernel: jacobiRoundStaged } : { kernel: jacobiRound, constants: { threads } };
  const variants: PipelineRequest[] =
    lanes === 4
      ? [
          jacobiProductsLanes,
          jacobiAnglesLanes,
          jacobiTurnsLanes,
          projectVectorsLanes,
          qrUpdateLanes,
          qrPanelLanes,
        ].map((kernel) => ({ kernel }))
      : [portableRound, { kernel: projectVectors }, { kernel: qrUpdate }, { kernel: qrPanel }];
  return [
    // The most expensive first.
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
