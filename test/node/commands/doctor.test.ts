import { expect, test } from 'vitest';
import { jsonText } from '../../../src/analysis/json.ts';
import { tune } from '../../../src/engine/gpu/tuning.ts';
import { decisionsForJson } from '../../../src/node/commands/doctor.ts';

test('decisions of the barest device can be written as JSON: what has no value is null', () => {
  const traits = {
    software: true,
    subgroups: undefined,
    workgroupMemory: 1024,
    maxThreads: 32,
    timestamps: false,
  };
  const decisions = decisionsForJson(tune(traits));
  expect(decisions).toMatchObject({
    largeTilesFrom: null,
    groupBytes: null,
    traits: { subgroups: null, workgroupMemory: 1024 },
  });
  expect(() => jsonText(decisions, 'doctor')).not.toThrow();
});
