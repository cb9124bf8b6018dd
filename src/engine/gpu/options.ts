import type { TuningOverrides } from './tuning.ts';
import type { VerdictStore } from './verdicts.ts';

/** What computes. `software` is true if a CPU plays the GPU (llvmpipe, SwiftShader, WARP). */
export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly software: boolean;
}

export interface GpuOptions {
  /**
   * The maximum number of bytes of GPU buffers to hold at once; default no bound. Weights then pass through the GPU layer by layer
   * where they do not fit.
   */
  readonly memoryLimit?: number;
  /** The largest storage binding to use, in bytes; default the device's own limit. Tests force it down. */
  readonly bindingLimit?: number;
  /** Time every dispatch with GPU timestamps where the device has them. */
  readonly timed?: boolean;
  /** Decisions to take another way than the device suggests; tests force every kernel's variants with it. */
  readonly tuning?: TuningOverrides;
  /**
   * Options of decisions about kernels, by the decision's name, as `laminar bench --tune` lists them: an option that
   * the device has is taken, unless `tuning` says otherwise.
   */
  readonly choices?: Readonly<Record<string, string>>;
  /**
   * Compute matrix products over subgroup matrices where the device offers them: experimental in Dawn and Chrome, so that
   * it is done only if asked for. Factors are split in two F16 where the device has no matrices of F32. Default false.
   */
  readonly subgroupMatrices?: boolean | undefined;
  /** Remembers what self-tests of kernels found on this adapter; without it, self-tests run once in each process. */
  readonly verdicts?: VerdictStore | undefined;
  /** Receives notices about the device, one sentence each. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /**
   * Ends every wait for the GPU with the signal's reason. What was submitted cannot be called back: a device that Laminar
   * opened is destroyed once it has done that, and nobody waits for it.
   */
  readonly signal?: AbortSignal;
}
