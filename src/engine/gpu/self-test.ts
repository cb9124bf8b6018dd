import { NumericalError } from '../errors.ts';
import { deviceFault } from './device-call.ts';
import { Gpu } from './gpu.ts';
import type { Tuning, TuningOverrides } from './tuning.ts';

/**
 * Kernels that were made for hardware are tested on each adapter before they are used. Drivers' compilers differ, and
 * Laminar's own tests run where a CPU plays the GPU.
 */
export interface VariantCheck {
  /** What is checked, in words for the notice. */
  readonly name: string;
  readonly isUsed: (tuning: Tuning) => boolean;
  /** Decisions, in addition to the device's own, with which small operands use the variant. */
  readonly forced: TuningOverrides;
  /** Decisions that take the portable variant in its place. */
  readonly portable: TuningOverrides;
  /** Computes small operands; the same on each call. */
  readonly run: (gpu: Gpu) => Promise<Float32Array>;
}

/** How far results may differ, in units of the largest. */
const TOLERANCE = 1e-4;

/** What failed on an adapter, by its name and the check's: known for as long as the process lives. */
const verdicts = new Map<string, Promise<string | undefined>>();

/**
 * Compares each variant that a hardware GPU is about to use with the portable one, once for each adapter. Where they
 * differ, the GPU takes the portable one from then on, and says so. A CPU that plays the GPU is not given these variants.
 * @throws DeviceError if the device is lost
 */
export async function checkVariants(gpu: Gpu, checks: readonly VariantCheck[]): Promise<void> {
  if (gpu.adapter.software) return;
  for (const check of checks) {
    if (!check.isUsed(gpu.tuning)) continue;
    const { vendor, architecture, description } = gpu.adapter;
    const key = [vendor, architecture, description, check.name].join('\n');
    let verdict = verdicts.get(key);
    if (!verdict) {
      verdict = faultOf(gpu, check);
      verdicts.set(key, verdict);
      verdict.catch(() => verdicts.delete(key));
    }
    const fault = await verdict;
    if (fault === undefined) continue;
    gpu.fallBack(check.portable);
    gpu.notice(
      `${check.name} does not work on ${description}: ${fault}. The portable kernel is used instead, which is slower; ` +
        'please report it',
    );
  }
}

/** What is wrong with a variant on this device, or undefined. */
async function faultOf(gpu: Gpu, { forced, portable, run }: VariantCheck): Promise<string | undefined> {
  const compute = async (overrides: TuningOverrides): Promise<Float32Array> => {
    using own = new Gpu(gpu.device, gpu.adapter, { tuning: { ...gpu.tuning, ...overrides } });
    return await run(own);
  };
  // What a driver refuses here must not count as a failure of the device.
  gpu.device.pushErrorScope('internal');
  gpu.device.pushErrorScope('validation');
  let results: Float32Array | undefined;
  let wrong: string | undefined;
  let errors: (GPUError | null)[];
  try {
    results = await compute(forced);
  } catch (error) {
    if (!(error instanceof NumericalError)) throw error;
    wrong = error.message;
  } finally {
    const scopes = [gpu.device.popErrorScope(), gpu.device.popErrorScope()];
    errors = await Promise.all(scopes).catch((cause: unknown) => {
      gpu.check();
      throw deviceFault('say what it refused', cause);
    });
  }
  gpu.check();
  const refusal = errors.find((error) => error !== null);
  if (refusal) return `the driver refused it (${refusal.message.split('\n')[0]})`;
  if (wrong !== undefined || !results) return wrong;
  return differenceOf(results, await compute(portable));
}

function differenceOf(results: Float32Array, expected: Float32Array): string | undefined {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const wrong = expected.findIndex((value, at) => !(Math.abs(results[at]! - value) <= TOLERANCE * scale));
  if (wrong < 0) return undefined;
  return `number ${wrong} of ${expected.length} is ${results[wrong]?.toPrecision(6)}, and the portable kernel gives ${expected[wrong]!.toPrecision(6)}`;
}
