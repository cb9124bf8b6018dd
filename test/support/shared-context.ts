import { openTestGpu } from '#platform';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { CommandContext } from '../../src/node/commands/context.ts';

/** What a command gets, on the device of all tests in this process. */
export class SharedContext extends CommandContext {
  constructor() {
    super(new AbortController().signal);
  }

  override openGpu(): Promise<Gpu> {
    return openTestGpu();
  }
}
