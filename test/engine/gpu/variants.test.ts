import { describe, expect, test } from 'vitest';
import { tune } from '../../../src/engine/gpu/tuning.ts';
import type { DeviceTraits } from '../../../src/engine/gpu/tuning.ts';
import { decisionsOf } from '../../../src/engine/gpu/variants.ts';

const hardware: DeviceTraits = {
  software: false,
  subgroups: { min: 32, max: 32 },
  workgroupMemory: 16_384,
  maxThreads: 256,
  timestamps: true,
};
const software: DeviceTraits = { ...hardware, software: true, subgroups: undefined };
const lanes: DeviceTraits = { ...software, subgroups: { min: 4, max: 4 } };
const eight: DeviceTraits = { ...software, subgroups: { min: 8, max: 8 } };
const shape = { component: 'f16', rows: 8, columns: 8, terms: 8 } as const;

describe.each([
  ['hardware', hardware],
  ['software', software],
  ['software with four lanes', lanes],
  ['software with eight lanes', eight],
  ['hardware with subgroup matrices', { ...hardware, matrices: [shape] }],
])('on %s', (_, traits) => {
  const tuning = tune(traits);
  const decisions = decisionsOf(tuning);

  test('each decision has one option that was chosen, and that is what the tuning says', () => {
    for (const { options } of decisions) {
      const chosen = options.filter((option) => option.chosen);
      expect(chosen).toHaveLength(1);
      expect(tune(traits, chosen[0]!.overrides)).toEqual(tuning);
      expect(new Set(options.map(({ name }) => name)).size).toBe(options.length);
    }
  });

  test('lanes are an option only where subgroups have as many', () => {
    const names = decisions.flatMap(({ options }) => options.map(({ name }) => name));
    expect(names.includes('lanes')).toBe(traits === lanes);
    expect(names.includes('matrices')).toBe(traits.matrices !== undefined);
    expect(names.includes('eight')).toBe(traits === lanes || traits === eight);
    expect(tuning.product === 'eight').toBe(traits === eight);
    const round = decisions.find(({ name }) => name === 'Jacobi round')!;
    const byLanes = round.options.filter(({ overrides }) => overrides.lanes !== 0);
    expect(byLanes.map(({ name }) => name)).toEqual(
      traits === lanes ? ['lanes'] : traits === eight ? ['eight'] : [],
    );
    for (const { options } of decisions)
      for (const { overrides } of options)
        expect(tune(traits, overrides).lanes).toBeLessThanOrEqual(tuning.lanes);
  });
});

test('kernels that do not fit the device are not an option', () => {
  const names = (traits: DeviceTraits) =>
    decisionsOf(tune(traits)).flatMap(({ options }) => options.map(({ name }) => name));
  expect(names(hardware)).toEqual(expect.arrayContaining(['tiles', 'wide', 'folded']));
  for (const traits of [{ ...hardware, workgroupMemory: 4096 }, software, lanes])
    for (const name of ['tiles', 'wide', 'folded']) expect(names(traits)).not.toContain(name);
});

test('threads that were chosen by hand are an option, too', () => {
  const norm = decisionsOf(tune(hardware, { normThreads: 128 })).find(({ name }) => name === 'layer norm')!;
  expect(norm.options.find(({ chosen }) => chosen)?.name).toBe('128 threads');
});
