import { defineKernel } from '../../engine/gpu/kernel.ts';
import centreColumnsSource from '../../shaders/spectrum/centre-columns.wgsl?raw';
import columnMeansSource from '../../shaders/spectrum/column-means.wgsl?raw';
import cumulativePercentSource from '../../shaders/spectrum/cumulative-percent.wgsl?raw';
import directionExtentsSource from '../../shaders/spectrum/direction-extents.wgsl?raw';
import gatherVectorsSource from '../../shaders/spectrum/gather-vectors.wgsl?raw';
import jacobiRoundSource from '../../shaders/spectrum/jacobi-round.wgsl?raw';
import jacobiAnglesLanesSource from '../../shaders/spectrum/jacobi-round-lanes-angles.wgsl?raw';
import jacobiProductsLanesSource from '../../shaders/spectrum/jacobi-round-lanes-products.wgsl?raw';
import jacobiTurnsLanesSource from '../../shaders/spectrum/jacobi-round-lanes-turns.wgsl?raw';
import jacobiRoundStagedSource from '../../shaders/spectrum/jacobi-round-staged.wgsl?raw';
import jacobiSweepEndSource from '../../shaders/spectrum/jacobi-sweep-end.wgsl?raw';
import orderDescendingSource from '../../shaders/spectrum/order-descending.wgsl?raw';
import projectVectorsLanesSource from '../../shaders/spectrum/project-vectors-lanes.wgsl?raw';
import projectVectorsSource from '../../shaders/spectrum/project-vectors.wgsl?raw';
import qrPanelLanesSource from '../../shaders/spectrum/qr-panel-lanes.wgsl?raw';
import qrPanelSource from '../../shaders/spectrum/qr-panel.wgsl?raw';
import qrUpdateLanesSource from '../../shaders/spectrum/qr-update-lanes.wgsl?raw';
import qrUpdateSource from '../../shaders/spectrum/qr-update.wgsl?raw';
import rowExtentsSource from '../../shaders/spectrum/row-extents.wgsl?raw';
import transposeTriangleSource from '../../shaders/spectrum/transpose-triangle.wgsl?raw';
import blockPairSource from '../../shaders/snippets/block-pair.wgsl?raw';
import digitsSource from '../../shaders/snippets/digits.wgsl?raw';
import powersOfTwoSource from '../../shaders/snippets/powers-of-two.wgsl?raw';
import splitSumsSource from '../../shaders/snippets/split-sums.wgsl?raw';
import innerSweepSource from '../../shaders/snippets/inner-sweep.wgsl?raw';
import productsOfFourSource from '../../shaders/snippets/products-of-four.wgsl?raw';
import vectorNormsSource from '../../shaders/spectrum/vector-norms.wgsl?raw';

/** The kernels of the spectrum; each shader's header says what it computes. */

export const columnMeans = defineKernel({
  name: 'column-means',
  source: columnMeansSource,
  includes: [digitsSource],
  bindings: { matrix: 'read', means: 'read_write', summary: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32', offset: 'u32', slot: 'u32' },
});

export const centreColumns = defineKernel({
  name: 'centre-columns',
  source: centreColumnsSource,
  includes: [digitsSource],
  bindings: { matrix: 'read', means: 'read', summary: 'read_write', centred: 'read_write' },
  uniforms: {
    rows: 'u32',
    columns: 'u32',
    offset: 'u32',
    slot: 'u32',
    transposed: 'u32',
    stride: 'u32',
    targetOffset: 'u32',
  },
});

export const vectorNorms = defineKernel({
  name: 'vector-norms',
  source: vectorNormsSource,
  includes: [powersOfTwoSource],
  bindings: { vectors: 'read', summary: 'read', norms: 'read_write' },
  uniforms: { vectors: 'u32', live: 'u32', length4: 'u32', padded: 'u32', scaled: 'u32' },
});

export const orderDescending = defineKernel({
  name: 'order-descending',
  source: orderDescendingSource,
  bindings: { norms: 'read', order: 'read_write', sorted: 'read_write', floors: 'read_write' },
  uniforms: { padded: 'u32' },
});

export const gatherVectors = defineKernel({
  name: 'gather-vectors',
  source: gatherVectorsSource,
  includes: [powersOfTwoSource],
  bindings: {
    source: 'read',
    summary: 'read',
    order: 'read',
    sorted: 'read',
    floors: 'read',
    gathered: 'read_write',
  },
  uniforms: { vectors: 'u32', padded: 'u32', length4: 'u32' },
});

export const qrPanel = defineKernel({
  name: 'qr-panel',
  source: qrPanelSource,
  bindings: { columns: 'read_write', reflectors: 'read_write', triangle: 'read_write' },
  uniforms: { columns: 'u32', padded: 'u32', length4: 'u32', first: 'u32' },
});

export const qrPanelLanes = defineKernel({
  name: 'qr-panel-lanes',
  source: qrPanelLanesSource,
  bindings: { columns: 'read_write', reflectors: 'read_write', triangle: 'read_write' },
  uniforms: { columns: 'u32', padded: 'u32', length4: 'u32', first: 'u32' },
  constants: ['lanes'],
});

export const qrUpdate = defineKernel({
  name: 'qr-update',
  source: qrUpdateSource,
  bindings: { columns: 'read_write', reflectors: 'read', triangle: 'read' },
  uniforms: { padded: 'u32', length4: 'u32', first: 'u32' },
});

export const qrUpdateLanes = defineKernel({
  name: 'qr-update-lanes',
  source: qrUpdateLanesSource,
  includes: [productsOfFourSource],
  bindings: { columns: 'read_write', reflectors: 'read', triangle: 'read' },
  uniforms: { padded: 'u32', length4: 'u32', first: 'u32' },
  constants: ['lanes'],
});

export const transposeTriangle = defineKernel({
  name: 'transpose-triangle',
  source: transposeTriangleSource,
  bindings: { factored: 'read', lower: 'read_write' },
  uniforms: { columns: 'u32', padded: 'u32', stride: 'u32' },
});

export const jacobiRound = defineKernel({
  name: 'jacobi-round',
  source: jacobiRoundSource,
  includes: [blockPairSource, innerSweepSource],
  bindings: { vectors: 'read_write', floors: 'read', progress: 'read', worst: 'read_write' },
  uniforms: { blocks: 'u32', length4: 'u32', round: 'u32', crosswise: 'u32' },
  constants: ['threads'],
});

export const jacobiProductsLanes = defineKernel({
  name: 'jacobi-round-lanes-products',
  source: jacobiProductsLanesSource,
  includes: [blockPairSource, productsOfFourSource],
  bindings: { vectors: 'read', progress: 'read', grams: 'read_write' },
  uniforms: { blocks: 'u32', length4: 'u32', round: 'u32', crosswise: 'u32' },
  constants: ['lanes'],
});

export const jacobiAnglesLanes = defineKernel({
  name: 'jacobi-round-lanes-angles',
  source: jacobiAnglesLanesSource,
  includes: [blockPairSource],
  bindings: {
    grams: 'read_write',
    floors: 'read',
    progress: 'read',
    worst: 'read_write',
    steps: 'read_write',
    turns: 'read_write',
  },
  uniforms: { blocks: 'u32', round: 'u32', crosswise: 'u32' },
});

export const jacobiTurnsLanes = defineKernel({
  name: 'jacobi-round-lanes-turns',
  source: jacobiTurnsLanesSource,
  includes: [blockPairSource],
  bindings: { steps: 'read', turns: 'read', progress: 'read', vectors: 'read_write' },
  uniforms: { blocks: 'u32', length4: 'u32', round: 'u32' },
  constants: ['lanes'],
});

export const jacobiRoundStaged = defineKernel({
  name: 'jacobi-round-staged',
  source: jacobiRoundStagedSource,
  includes: [blockPairSource, innerSweepSource],
  bindings: { vectors: 'read_write', floors: 'read', progress: 'read', worst: 'read_write' },
  uniforms: { blocks: 'u32', length4: 'u32', round: 'u32', crosswise: 'u32' },
});

export const jacobiSweepEnd = defineKernel({
  name: 'jacobi-sweep-end',
  source: jacobiSweepEndSource,
  bindings: { worst: 'read_write', progress: 'read_write' },
  uniforms: { matrices: 'u32' },
});

export const rowExtents = defineKernel({
  name: 'row-extents',
  source: rowExtentsSource,
  includes: [powersOfTwoSource],
  bindings: { vectors: 'read', summary: 'read', norms: 'read', extents: 'read_write' },
  uniforms: { vectors: 'u32', padded: 'u32', length4: 'u32' },
});

export const directionExtents = defineKernel({
  name: 'direction-extents',
  source: directionExtentsSource,
  includes: [powersOfTwoSource],
  bindings: {
    lower: 'read',
    sorted: 'read',
    order: 'read',
    norms: 'read',
    floors: 'read',
    directions: 'read_write',
  },
  uniforms: { padded: 'u32' },
});

export const projectVectors = defineKernel({
  name: 'project-vectors',
  source: projectVectorsSource,
  includes: [powersOfTwoSource, splitSumsSource],
  bindings: {
    centred: 'read',
    summary: 'read',
    order: 'read',
    sorted: 'read',
    lower: 'read',
    directions: 'read',
    extents: 'read',
    projected: 'read_write',
  },
  uniforms: { vectors: 'u32', padded: 'u32', length4: 'u32', firstGroup: 'u32' },
});

export const projectVectorsLanes = defineKernel({
  name: 'project-vectors-lanes',
  source: projectVectorsLanesSource,
  includes: [powersOfTwoSource, splitSumsSource],
  bindings: {
    centred: 'read',
    summary: 'read',
    order: 'read',
    sorted: 'read',
    lower: 'read',
    directions: 'read',
    extents: 'read',
    projected: 'read_write',
  },
  uniforms: { vectors: 'u32', padded: 'u32', length4: 'u32', firstGroup: 'u32' },
  constants: ['lanes'],
});

export const cumulativePercent = defineKernel({
  name: 'cumulative-percent',
  source: cumulativePercentSource,
  bindings: { singularValues: 'read', percent: 'read_write' },
  uniforms: { values: 'u32', stride: 'u32' },
});
