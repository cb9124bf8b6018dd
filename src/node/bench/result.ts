import { laminarVersion } from '../../analysis/report.ts';
import type { ProductShape } from '../../engine/ceilings.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import { webgpuVersion } from '../packaged-binaries.ts';

/** What every answer of `bench --json` begins with: what was measured, where, with what and when. */
export interface BenchHead {
  readonly bench: 'profile' | 'growth' | 'tune';
  /** The date in UTC, in the form of ISO 8601. */
  readonly date: string;
  readonly versions: { readonly laminar: string; readonly node: string; readonly webgpu: string | null };
  readonly platform: string;
  /** Its description holds the driver's version where the driver tells it. */
  readonly adapter: AdapterReport;
}

/** How fast something ran, and what part of the run's ceilings that is. Null if it counts no such work. */
export interface Rate {
  readonly seconds: number;
  /** Floating-point operations per second. */
  readonly flops: number | null;
  readonly of_flops: number | null;
  /** Bytes of operands that must be read and results that must be written, each once per call. */
  readonly bytes_per_second: number | null;
  readonly of_bytes: number | null;
}

/** A kernel in the fastest of several profiles. */
export interface KernelRate extends Rate {
  /** Its file's name. */
  readonly kernel: string;
  readonly calls: number;
  /** Part of the time of all kernels. */
  readonly share: number;
}

/** What the adapter can do at best, measured in the same run. */
export interface Ceilings {
  /** Floating-point operations per second: the largest of all below. */
  readonly flops: number;
  /** Float32 multiply-add on registers alone: as WGSL's fma, and as a product and a sum. */
  readonly multiply_add: { readonly fma: number; readonly separate: number };
  /** Laminar's own matrix product alone. */
  readonly matrix_products: readonly (ProductShape & { readonly flops: number })[];
  /** Read and written, together: the larger of the copies. */
  readonly bytes_per_second: number;
  /** From buffer to buffer by the queue's command, and by a kernel. */
  readonly copies: { readonly command: number; readonly kernel: number };
}

/** What `bench --json` prints. bench/pytorch.py prints the same fields, and also `variants`. */
export interface ProfileBench extends BenchHead {
  readonly bench: 'profile';
  readonly model: {
    /** A folder's name, an id on the hub, or the published model whose shape random weights have. */
    readonly id: string;
    readonly architecture: string;
    readonly layers: number;
    readonly width: number;
    readonly parameters: number;
    readonly dtype: string;
    /** Whether the weights stay on the GPU; else they are read during the forward pass, and count in its time. */
    readonly resident: boolean;
  };
  /** The length of each of the two sequences. */
  readonly tokens: number;
  readonly ids: { readonly real: readonly number[]; readonly shuffled: readonly number[] };
  readonly ceilings: Ceilings;
  /** The number of profiles, of which the fastest counts; one more before them compiles the kernels. */
  readonly repetitions: number;
  /**
   * A profile from the weights' files to the report, and this process's CPU time: on a software GPU it is the whole
   * work, even on a busy machine.
   */
  readonly whole: { readonly seconds: number; readonly cpu_seconds: number };
  readonly forward: Rate & { readonly cpu_seconds: number; readonly tokens_per_second: number };
  readonly spectrum: Rate & { readonly cpu_seconds: number; readonly matrices: number };
  /** Slowest first; null if the device has no timestamps. */
  readonly kernels: readonly KernelRate[] | null;
  /** To compare with what another program computes from the same ids. */
  readonly answers: Answers;
}

export interface Answers {
  /** Null if the model has no head. */
  readonly mean_max_log_softmax: { readonly real: number; readonly shuffled: number } | null;
  /** Components that hold over 95 % of the variance, for each state. */
  readonly effective_dimension: { readonly real: readonly number[]; readonly shuffled: readonly number[] };
  readonly rank: { readonly real: readonly number[]; readonly shuffled: readonly number[] };
}

export function benchHead<Bench extends BenchHead['bench']>(
  bench: Bench,
  adapter: AdapterReport,
): BenchHead & { bench: Bench } {
  return {
    bench,
    date: new Date().toISOString(),
    versions: { laminar: laminarVersion, node: process.version, webgpu: webgpuVersion() },
    platform: `${process.platform}-${process.arch}`,
    adapter,
  };
}
