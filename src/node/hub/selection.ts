import { FormatError } from '../../engine/errors.ts';
import { isJsonObject, parseJson } from '../../engine/files.ts';
import { chooseTokenizerFiles, holdsTokenizer, tokenizerFiles } from '../../engine/tokenizer/files.ts';
import { chooseWeightFiles, liesInside, weightFile, weightIndex } from '../../engine/weight-files.ts';
import type { WeightFiles } from '../../engine/weight-files.ts';

export const CONFIG = 'config.json';

/** What is fetched besides the weights, if the repository has it. */
export function besideWeights(has: (name: string) => boolean): string[] {
  return [CONFIG, ...chooseTokenizerFiles(has)].filter(has);
}

/**
 * The files that a safetensors index names, each once, in the index's order.
 * @param where what to call the index in an error.
 * @throws FormatError if the text is not an index or a name leads out of the model's folder.
 */
export function readShardNames(text: string, where: string): string[] {
  const advice = 'fetch it again or choose another revision';
  const index = parseJson(text.replace(/^\ufeff/, ''), where, advice);
  const map = isJsonObject(index) ? index['weight_map'] : undefined;
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    throw FormatError.at(where, `has no weight_map; ${advice}`);
  }
  const names = new Set<string>();
  for (const [tensor, name] of Object.entries(map)) {
    if (typeof name !== 'string' || !liesInside(name)) {
      throw FormatError.at(
        where,
        `it puts ${tensor} into ${JSON.stringify(name)}, which is not a file inside the model's folder; do not trust this model`,
      );
    }
    names.add(name);
  }
  return [...names];
}

/**
 * The weights among a model's files, as the engine will choose them; files in folders are other things.
 * @returns undefined if there are none, an array of names where there are several and no reason for one
 */
export function chooseWeights(names: Iterable<string>): ReturnType<typeof chooseWeightFiles> {
  return chooseWeightFiles([...names].filter((name) => !name.includes('/')));
}

export function isChoice(chosen: ReturnType<typeof chooseWeightFiles>): chosen is WeightFiles {
  return chosen !== undefined && !Array.isArray(chosen);
}

/** How much of a model a folder holds. */
export interface Holding {
  /** What is needed and not there or damaged, in words ("lacks config.json"); undefined if all is there. */
  readonly lack: string | undefined;
  /** The files that are there and damaged. */
  readonly damaged: readonly string[];
  /** Everything that Laminar ever fetches is there, including files that not every model has. */
  readonly whole: boolean;
}

/** What a snapshot can say of one of its files. */
export type FileState = 'absent' | 'damaged' | 'sound';

/** A cached snapshot. */
export interface Snapshot {
  /** The names of its files and folders. */
  list(): Promise<readonly string[]>;
  /** The state of a file. */
  stateOf(name: string): Promise<FileState>;
  /** The text of a file, undefined if it is not there. */
  read(name: string): Promise<string | undefined>;
}

/** Looks at what a cached snapshot holds. */
export async function inspectSnapshot(snapshot: Snapshot): Promise<Holding> {
  const damaged: string[] = [];
  const isSound = async (name: string): Promise<boolean> => {
    const state = await snapshot.stateOf(name);
    if (state === 'damaged') damaged.push(name);
    return state === 'sound';
  };
  const found = chooseWeights(await snapshot.list());
  const weights = isChoice(found) ? found : { files: [weightFile], isGuess: false };
  const needed = [CONFIG, ...('index' in weights ? [weights.index] : weights.files)];
  if ('index' in weights) {
    try {
      needed.push(...readShardNames((await snapshot.read(weights.index)) ?? '', weights.index));
    } catch {
      damaged.push(weights.index);
    }
  }
  const lacking: string[] = [];
  for (const name of needed) if (!(await isSound(name))) lacking.push(name);
  const sound = new Set<string>();
  for (const name of tokenizerFiles) if (await isSound(name)) sound.add(name);
  const first = damaged[0] ?? lacking[0];
  const lack =
    first === undefined ? undefined : `${damaged.includes(first) ? 'has a damaged' : 'lacks'} ${first}`;
  // If a copy has only a variant of the weights, the repository may have the usual ones.
  const isUsual = needed[1] === weightFile || needed[1] === weightIndex;
  const hasTokenizer = holdsTokenizer((name) => sound.has(name)) && sound.has('tokenizer_config.json');
  const whole = lack === undefined && isUsual && hasTokenizer;
  return { lack, damaged: [...new Set(damaged)], whole };
}
