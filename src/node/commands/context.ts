import type { Gpu } from '../../engine/gpu/gpu.ts';
import { openNodeGpu } from '../gpu.ts';
import { Terminal } from '../terminal.ts';

/** What every command gets: the flags all commands share, a way to speak, and the signal that Ctrl-C aborts. */
export class CommandContext {
  readonly terminal = new Terminal();
  /** The value of --gpu-memory, in bytes. */
  gpuMemory: number | undefined;

  constructor(readonly signal: AbortSignal) {}

  /** Opens a GPU within --gpu-memory, with a notice where the CPU has to play it. The caller disposes of it. */
  openGpu(): Promise<Gpu> {
    return openNodeGpu({
      ...(this.gpuMemory === undefined ? {} : { memoryLimit: this.gpuMemory }),
      onNotice: (line) => {
        this.terminal.notice(`laminar: ${line}`);
      },
    });
  }
}
