import type { Gpu } from '../../engine/gpu/gpu.ts';
import { defaultMemoryLimit } from '../../engine/memory.ts';
import { openNodeGpu } from '../gpu.ts';
import { machineMemory } from '../machine-memory.ts';
import { Terminal } from '../terminal.ts';

/** What every command gets: the flags all commands share, a terminal for messages, and the signal that Ctrl-C aborts. */
export class CommandContext {
  readonly terminal = new Terminal();
  /** The value of --gpu-memory, in bytes. */
  gpuMemory: number | undefined;
  /** The value of --subgroup-matrices. */
  subgroupMatrices = false;
  /** The value of --verbose. */
  isVerbose = false;
  #gpu: Gpu | undefined;

  constructor(readonly signal: AbortSignal) {}

  /**
   * Opens a GPU within --gpu-memory or the default bound, with a notice if the CPU has to play the GPU. The caller
   * disposes of it.
   * @param weightBytes of the model that will run, if one will
   */
  async openGpu(weightBytes = 0): Promise<Gpu> {
    this.#gpu = await openNodeGpu({
      signal: this.signal,
      subgroupMatrices: this.subgroupMatrices,
      memoryLimit: (adapter) => this.gpuMemory ?? defaultMemoryLimit(adapter, weightBytes, machineMemory()),
      onNotice: (line) => {
        if (!this.#gpu) this.terminal.notice(line); // once is loud enough
      },
      onChatter: (line) => {
        if (this.isVerbose) this.terminal.notice(`a driver says: ${line}`);
      },
    });
    return this.#gpu;
  }

  /** The maximum memory held so far, in bytes: GPU buffers (undefined if no GPU was opened) and the whole process. */
  peakMemory(): { gpu: number | undefined; process: number } {
    return { gpu: this.#gpu?.peakBytes, process: 1024 * process.resourceUsage().maxRSS };
  }
}
