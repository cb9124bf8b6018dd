import { describeAdapter } from '../../engine/gpu/open.ts';
import { adapterLine } from '../../engine/gpu/verdicts.ts';
import { AdapterMemory } from '../adapter-memory.ts';
import { findAdapter } from '../gpu.ts';
import type { TuneBench } from './tune.ts';

/**
 * Remembers the options that were faster, besides those that were remembered before. It happens only if a person asks
 * for it: another option may round the last digit in another way.
 * @returns what is remembered, and where, in one line
 */
export async function rememberFaster(
  { faster, decisions }: Pick<TuneBench, 'faster' | 'decisions'>,
  memory = new AdapterMemory(),
): Promise<string> {
  const { adapter } = await findAdapter();
  const line = adapterLine(describeAdapter(adapter), adapter.info);
  const before = (await memory.choicesOf(line))?.options ?? {};
  const isStillThere = ([name, option]: [string, string]): boolean =>
    decisions.some((decision) => decision.name === name && decision.options.some((it) => it.name === option));
  const options = { ...Object.fromEntries(Object.entries(before).filter(isStillThere)), ...faster };
  const words = Object.entries(options).map(([name, option]) => `${name}: ${option}`);
  if (words.length === 0)
    return 'Nothing is remembered: no option was faster than the chosen one by a tenth.\n';
  const file = await memory.choose(line, options);
  if (file === undefined) {
    return 'Nothing is remembered: no cache folder can be written; let XDG_CACHE_HOME name one that only you can write.\n';
  }
  return `Remembered for this adapter: ${words.join('; ')} (in ${file}; laminar doctor --forget forgets it).\n`;
}
