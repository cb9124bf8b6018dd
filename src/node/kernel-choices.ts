import { spectrumChecks } from '../analysis/spectrum.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { fallbackOf, needsCheck } from '../engine/gpu/self-test.ts';
import { tune } from '../engine/gpu/tuning.ts';
import { decisionsOf } from '../engine/gpu/variants.ts';
import type { Decision } from '../engine/gpu/variants.ts';
import { selfTestOf } from '../engine/gpu/verdicts.ts';
import { forwardChecks } from '../engine/variant-checks.ts';
import type { AdapterMemory } from './adapter-memory.ts';

/** How a decision about kernels is taken, and why. */
export interface KernelChoice {
  readonly decision: string;
  readonly option: string;
  /** What suits such a device; what `bench --tune --remember` chose; what a flag asks for; what remains if a self-test failed. */
  readonly why: 'default' | 'remembered' | 'asked' | 'self-test';
}

/** A self-test that this adapter's kernels need, as far as it is remembered. */
export interface KnownSelfTest {
  readonly check: string;
  /** The day of the test; null if it is made when the kernel is first used. */
  readonly date: string | null;
  /** What is wrong with the kernel; null if it works, or if that is not known. */
  readonly fault: string | null;
}

/**
 * Says how decisions about kernels are taken on a GPU and why, from what is remembered: nothing is computed. The GPU falls
 * back where a self-test failed, as it does before the kernel's first use.
 */
export async function explainChoices(
  gpu: Gpu,
  memory: AdapterMemory,
): Promise<{ choices: KernelChoice[]; selfTests: KnownSelfTest[] }> {
  const selfTests: KnownSelfTest[] = [];
  const optionOf = ({ options }: Decision) => options.find(({ chosen }) => chosen)?.name;
  const beforeTests = decisionsOf(gpu.tuning).map(optionOf);
  for (const check of [...forwardChecks, ...spectrumChecks]) {
    if (!needsCheck(gpu, check)) continue;
    const verdict = await memory.find(await selfTestOf(gpu, check));
    const fault = verdict?.fault ?? null;
    selfTests.push({ check: check.name, date: verdict?.date ?? null, fault });
    if (fault !== null) gpu.fallBack(fallbackOf(gpu, check));
  }
  const defaults = decisionsOf(tune(gpu.tuning.traits)).map(optionOf);
  const choices = decisionsOf(gpu.tuning).flatMap((decision, index): KernelChoice[] => {
    const option = optionOf(decision);
    if (option === undefined) return [];
    const why =
      option !== beforeTests[index]
        ? 'self-test'
        : option === 'matrices'
          ? 'asked'
          : option === defaults[index]
            ? 'default'
            : 'remembered';
    return [{ decision: decision.name, option, why }];
  });
  return { choices, selfTests };
}
