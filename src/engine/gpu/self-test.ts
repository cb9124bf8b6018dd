import { DeviceError, NumericalError } from '../errors.ts';
import { deviceFault } from './device-call.ts';
import { Gpu } from './gpu.ts';
import type { KernelDefinition } from './kernel.ts';
import type { Tuning, TuningOverrides } from './tuning.ts';
import { selfTestOf } from './verdicts.ts';

/**
 * Kernels that were made for hardware are tested on each adapter before they are used. Drivers' compilers differ, and
 * Laminar's own tests run where a CPU plays the GPU.
 */
export interface VariantCheck {
  /** What is checked, in words for the notice. */
  readonly name: string;
  readonly isUsed: (tuning: Tuning) => boolean;
  /** Whether it is checked where a CPU plays the GPU, too: Laminar's own tests see one such adapter only. */
  readonly onSoftware?: boolean;
  /** The kernels that are tested: if their texts change, earlier findings no longer count. */
  readonly kernels: readonly Pick<KernelDefinition, 'head' | 'source' | 'includes'>[];
  /** Decisions, in addition to the device's own, with which small operands use the variant. */
  readonly forced: TuningOverrides;
  /** Decisions that take the portable variant in its place. */
  readonly portable: TuningOverrides;
  /** Decisions with which a GPU goes on if the variant does not work; default `portable`. */
  readonly fallback?: (tuning: Tuning) => TuningOverrides;
  /** How far results may differ, in units of the largest; default 1e-4. */
  readonly tolerance?: number;
  /** Computes small operands; the same on each call. */
  readonly run: (gpu: Gpu) => Promise<Float32Array>;
}

/** How far results may differ if a check does not say it, in units of the largest. */
const TOLERANCE = 1e-4;

/** What is wrong with a variant on an adapter, and whether an earlier run of the program found it. */
interface Finding {
  readonly fault: string | null;
  readonly isRemembered: boolean;
}

/** What self-tests found, by the test: known for as long as the process lives. */
const findings = new Map<string, Promise<Finding>>();

/**
 * Compares each variant that a GPU is about to use with the portable one, once for each adapter: the GPU's store
 * of verdicts knows what earlier runs found. Where they differ, the GPU takes the portable one from then on, and says so.
 * A CPU that plays the GPU is not given most of these variants.
 * @throws DeviceError if the device is lost
 */
export async function checkVariants(gpu: Gpu, checks: readonly VariantCheck[]): Promise<void> {
  for (const check of checks) {
    if (!needsCheck(gpu, check)) continue;
    const { fault, isRemembered } = await findingOf(gpu, check);
    if (fault === null) continue;
    gpu.fallBack(fallbackOf(gpu, check));
    gpu.notice(
      `${check.name} does not work on ${gpu.adapter.description}: ${fault}${isRemembered ? ' (found by an earlier run)' : ''}. ` +
        'The portable kernel is used instead, which is slower; please report it',
    );
  }
}

/** Whether a GPU is about to use a variant that must be tested on it. */
export function needsCheck({ adapter, tuning }: Gpu, { isUsed, onSoftware }: VariantCheck): boolean {
  return isUsed(tuning) && (!adapter.software || onSoftware === true);
}

/** The decisions with which a GPU goes on if a variant does not work. */
export function fallbackOf({ tuning }: Gpu, { fallback, portable }: VariantCheck): TuningOverrides {
  return fallback?.(tuning) ?? portable;
}

async function findingOf(gpu: Gpu, check: VariantCheck): Promise<Finding> {
  const test = await selfTestOf(gpu, check);
  const key = JSON.stringify(test);
  const known = findings.get(key);
  if (known) return known;
  const find = async (): Promise<Finding> => {
    const remembered = await gpu.verdicts?.find(test).catch(() => undefined);
    if (remembered) return { fault: remembered.fault, isRemembered: true };
    const fault = (await faultOf(gpu, check)) ?? null;
    await gpu.verdicts?.keep({ ...test, fault }).catch(() => undefined);
    return { fault, isRemembered: false };
  };
  const finding = find();
  findings.set(key, finding);
  finding.catch(() => findings.delete(key));
  return finding;
}

/** What is wrong with a variant on this device, or undefined. */
async function faultOf(
  gpu: Gpu,
  { forced, portable, run, tolerance = TOLERANCE }: VariantCheck,
): Promise<string | undefined> {
  const compute = async (overrides: TuningOverrides): Promise<Float32Array> => {
    using own = new Gpu(gpu.device, gpu.adapter, { tuning: { ...gpu.tuning, ...overrides } });
    return await run(own);
  };
  // What a driver refuses here must not count as a failure of the device.
  gpu.device.pushErrorScope('internal');
  gpu.device.pushErrorScope('validation');
  let results: Float32Array | undefined;
  let wrong: string | undefined;
  let rejected: string | undefined;
  let errors: (GPUError | null)[];
  try {
    results = await compute(forced);
  } catch (error) {
    if (error instanceof NumericalError) wrong = error.message;
    // The GPU of the test hears of its own calls; that the device lives on is checked below.
    else if (error instanceof DeviceError && error.code === 'command-rejected') rejected = error.message;
    else throw error;
  } finally {
    const scopes = [gpu.device.popErrorScope(), gpu.device.popErrorScope()];
    errors = await Promise.all(scopes).catch((cause: unknown) => {
      gpu.check();
      throw deviceFault('say what it refused', cause);
    });
  }
  gpu.check();
  const refusal = errors.find((error) => error !== null)?.message ?? rejected;
  if (refusal !== undefined) return `the driver refused it (${refusal.split('\n')[0]})`;
  if (wrong !== undefined || !results) return wrong;
  return differenceOf(results, await compute(portable), tolerance);
}

function differenceOf(results: Float32Array, expected: Float32Array, tolerance: number): string | undefined {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const wrong = expected.findIndex((value, at) => !(Math.abs(results[at]! - value) <= tolerance * scale));
  if (wrong < 0) return undefined;
  return `number ${wrong} of ${expected.length} is ${results[wrong]?.toPrecision(6)}, and the portable kernel gives ${expected[wrong]!.toPrecision(6)}`;
}
