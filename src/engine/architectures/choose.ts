import type { Checkpoint } from '../checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { gpt2 } from './gpt2.ts';
import { gptNeox } from './gpt-neox.ts';

/** The architecture that a checkpoint's configuration names. */
export function architectureOf(checkpoint: Checkpoint): Architecture {
  const { config } = checkpoint;
  return config.architecture === 'gpt2' ? gpt2(config, checkpoint) : gptNeox(config, checkpoint);
}
