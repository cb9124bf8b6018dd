import addSource from '../../shaders/hooks/add.wgsl?raw';
import attendPatternSource from '../../shaders/hooks/attend-pattern.wgsl?raw';
import attentionPatternSource from '../../shaders/hooks/attention-pattern.wgsl?raw';
import editActivationSource from '../../shaders/hooks/edit-activation.wgsl?raw';
import gatherActivationSource from '../../shaders/hooks/gather-activation.wgsl?raw';
import normStatisticsSource from '../../shaders/hooks/norm-statistics.wgsl?raw';
import normaliseRowsSource from '../../shaders/hooks/normalise-rows.wgsl?raw';
import scaleShiftSource from '../../shaders/hooks/scale-shift.wgsl?raw';
import deviationsSnippet from '../../shaders/snippets/deviations.wgsl?raw';
import keptSumSnippet from '../../shaders/snippets/kept-sum.wgsl?raw';
import { defineKernel } from '../gpu/kernel.ts';

/** The kernels that look at activations and change them, and those of steps taken apart for that. */

/** Where chosen rows and heads lie in a buffer. */
const chosen = {
  rows: 'u32',
  heads: 'u32',
  headWidth: 'u32',
  rowStride: 'u32',
  headStride: 'u32',
  firstElement: 'u32',
} as const;

export const gatherActivation = defineKernel({
  name: 'gather-activation',
  source: gatherActivationSource,
  bindings: { indices: 'read', source: 'read', gathered: 'read_write' },
  uniforms: { ...chosen, gatheredRowStride: 'u32', gatheredHeadStride: 'u32' },
});

export const editActivation = defineKernel({
  name: 'edit-activation',
  source: editActivationSource,
  bindings: { indices: 'read', values: 'read', edited: 'read_write' },
  uniforms: {
    ...chosen,
    valueRowStride: 'u32',
    valueHeadStride: 'u32',
    valueStep: 'u32',
    firstValue: 'u32',
    operation: 'u32',
  },
});

export const normStatistics = defineKernel({
  name: 'norm-statistics',
  source: normStatisticsSource,
  includes: [keptSumSnippet, deviationsSnippet],
  bindings: { input: 'read', statistics: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  constants: ['threads', 'centred'],
});

export const normaliseRows = defineKernel({
  name: 'normalise-rows',
  source: normaliseRowsSource,
  bindings: { input: 'read', statistics: 'read', output: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32' },
});

export const scaleShift = defineKernel({
  name: 'scale-shift',
  source: scaleShiftSource,
  bindings: { weight: 'read', bias: 'read', values: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32' },
  constants: ['shifted'],
});

export const add = defineKernel({
  name: 'add',
  source: addSource,
  bindings: { term: 'read', total: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32' },
});

export const attentionPattern = defineKernel({
  name: 'attention-pattern',
  source: attentionPatternSource,
  bindings: { indices: 'read', queryKeyValue: 'read', pattern: 'read_write' },
  uniforms: {
    queries: 'u32',
    tokens: 'u32',
    headWidth: 'u32',
    stride: 'u32',
    queryStride: 'u32',
    keyStride: 'u32',
    keyOffset: 'u32',
    group: 'u32',
    scale: 'f32',
    firstElement: 'u32',
  },
  constants: ['scored', 'normalised'],
});

export const attendPattern = defineKernel({
  name: 'attend-pattern',
  source: attendPatternSource,
  bindings: { indices: 'read', pattern: 'read', queryKeyValue: 'read', output: 'read_write' },
  uniforms: {
    queries: 'u32',
    heads: 'u32',
    pieceQueries: 'u32',
    tokens: 'u32',
    headWidth: 'u32',
    stride: 'u32',
    valueStride: 'u32',
    valueOffset: 'u32',
    group: 'u32',
    outputStride: 'u32',
    firstInput: 'u32',
    firstOutput: 'u32',
  },
});
