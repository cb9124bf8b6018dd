import type { SelfTest, Verdict, VerdictStore } from '../engine/gpu/verdicts.ts';
import { KeptBlocks } from './kept-blocks.ts';

const MAX_BYTES = 4096;

/**
 * Keeps what self-tests of kernels found, for the next visit. Browsers do not tell the driver's version; the browser's own
 * stands for it.
 */
export const keptVerdicts: VerdictStore = {
  async find(test: SelfTest): Promise<Verdict | undefined> {
    const bytes = await (await open()).get(keyOf(test));
    if (!bytes || bytes.length > MAX_BYTES) return undefined;
    const fault = faultFrom(new TextDecoder().decode(bytes));
    return fault === undefined ? undefined : { ...test, fault };
  },
  async keep({ fault, ...test }: Verdict): Promise<void> {
    const text = JSON.stringify({ fault: fault?.slice(0, MAX_BYTES / 8) ?? null });
    await (await open()).put(keyOf(test), new TextEncoder().encode(text));
  },
};

const open = (): Promise<KeptBlocks> => KeptBlocks.open('self-test', 'verdicts');

function keyOf({ adapter, check, kernels }: SelfTest): string {
  return JSON.stringify([navigator.userAgent, adapter, check, kernels]);
}

/** Undefined for what `keep` does not write. */
function faultFrom(text: string): string | null | undefined {
  try {
    const { fault } = JSON.parse(text) as { fault?: unknown };
    return fault === null || typeof fault === 'string' ? fault : undefined;
  } catch {
    return undefined;
  }
}
