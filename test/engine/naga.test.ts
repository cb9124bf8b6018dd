import { nagaVersion, parseWgsl, validate } from 'naga-wasm';
import { expect, test } from 'vitest';
import { leanShader } from '../../lean-shaders.ts';
import { kernelCode } from '../../src/engine/gpu/kernel.ts';
import type { KernelDefinition } from '../../src/engine/gpu/kernel.ts';
import { matrixProductMatrices } from '../../src/engine/kernels.ts';
import { emulatedMatricesKernel } from '../support/emulated-matrices.ts';

/** naga compiles WGSL in Firefox: every kernel, with what it includes, must pass it as builds carry it. */
const modules = import.meta.glob<Record<string, unknown>>('../../src/**/kernels.ts', { eager: true });
const isKernel = (value: unknown): value is KernelDefinition =>
  typeof value === 'object' && value !== null && 'source' in value && 'bindings' in value;
const kernels = Object.values(modules).flatMap((module) => Object.values(module).filter(isKernel));

/** What naga computes and does not know the directive of: such kernels run only where the device has the feature. */
const DIRECTIVE = /^enable subgroups;$/m;
const withSubgroups = [
  'attention-lanes',
  'jacobi-round-lanes-angles',
  'jacobi-round-lanes-products',
  'jacobi-round-lanes-turns',
  'matrix-product-eight',
  'matrix-product-lanes',
  'matrix-product-matrices',
  'project-vectors-lanes',
  'qr-panel-lanes',
  'qr-update-lanes',
];

test('only these kernels ask for what naga does not know by name', () => {
  const asking = kernels.filter((kernel) => /^\s*enable /m.test(kernelCode(kernel)));
  expect(asking.map(({ name }) => name).sort()).toEqual(withSubgroups);
  for (const kernel of asking)
    expect(() => parseWgsl(kernelCode(kernel))).toThrow(/`subgroups` enable-extension is not yet supported/);
});

/** naga does not know subgroup matrices: of this kernel it reads a text that computes them by other means. */
const takenAs = new Map([
  [matrixProductMatrices.name, emulatedMatricesKernel({ component: 'f16', terms: 8, threads: 16 })],
]);

test.each(kernels.map((kernel) => [kernel.name, kernel] as const))(
  `naga ${nagaVersion} takes %s`,
  (name, kernel) => {
    validate(parseWgsl(leanShader(kernelCode(takenAs.get(name) ?? kernel)).replace(DIRECTIVE, '')));
  },
);
