import { FormatError } from '../../engine/errors.ts';
import { chooseTokenizerFiles, holdsTokenizer, tokenizerFiles } from '../../engine/tokenizer/files.ts';

export const CONFIG = 'config.json';
export const TOKENIZER_CONFIG = 'tokenizer_config.json';
export const INDEX = 'model.safetensors.index.json';
export const SINGLE = 'model.safetensors';

/** What is fetched beside the weights, of what the repository has. */
export function besideWeights(has: (name: string) => boolean): string[] {
  return [CONFIG, ...chooseTokenizerFiles(has)].filter(has);
}

/**
 * The files that a safetensors index names, each once, in the index's order.
 * @param where what to call the index in an error.
 * @throws FormatError if the text is no index or a name leads out of the model's folder.
 */
export function readShardNames(text: string, where: string): string[] {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch {
    throw new FormatError(`${where} is not JSON; fetch it again or choose another --revision`);
  }
  const map: unknown =
    typeof index === 'object' && index !== null ? Reflect.get(index, 'weight_map') : undefined;
  if (typeof map !== 'object' || map === null || Object.keys(map).length === 0) {
    throw new FormatError(`${where} has no weight_map; fetch it again or choose another --revision`);
  }
  const names = new Set<string>();
  for (const [tensor, name] of Object.entries(map)) {
    if (typeof name !== 'string' || !liesInside(name)) {
      throw new FormatError(
        `${where} puts ${tensor} into ${JSON.stringify(name)}, which is no file inside the model's folder; do not trust this model`,
      );
    }
    names.add(name);
  }
  return [...names];
}

/** Whether a name from a repository, joined to a folder, stays in it, on every system. */
export function liesInside(name: string): boolean {
  if (name === '' || /[\\:\p{Cc}]/u.test(name)) return false;
  return name.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** How much of a model a folder holds. */
export interface Holding {
  /** What is needed and not there or damaged, in words ("lacks config.json"); undefined if all is there. */
  readonly lack: string | undefined;
  /** The files that are there and damaged. */
  readonly damaged: readonly string[];
  /** Everything that Laminar ever fetches is there, the files that not every model has included. */
  readonly whole: boolean;
}

/** What a snapshot can say of one of its files. */
export type FileState = 'absent' | 'damaged' | 'sound';

/**
 * Looks at what a cached snapshot holds.
 * @param stateOf how a file stands.
 * @param read the text of a file, undefined where it is not there.
 */
export async function inspectSnapshot(
  stateOf: (name: string) => Promise<FileState>,
  read: (name: string) => Promise<string | undefined>,
): Promise<Holding> {
  const damaged: string[] = [];
  const isSound = async (name: string): Promise<boolean> => {
    const state = await stateOf(name);
    if (state === 'damaged') damaged.push(name);
    return state === 'sound';
  };
  const needed = [CONFIG];
  // Of both, the single file is what is read.
  const hasIndex = (await stateOf(SINGLE)) === 'absent' && (await stateOf(INDEX)) !== 'absent';
  if (hasIndex) needed.push(INDEX);
  else needed.push(SINGLE);
  let shards: string[] = [];
  if (hasIndex) {
    try {
      shards = readShardNames((await read(INDEX)) ?? '', INDEX);
    } catch {
      damaged.push(INDEX);
    }
  }
  const lacking: string[] = [];
  for (const name of [...needed, ...shards]) if (!(await isSound(name))) lacking.push(name);
  const sound = new Set<string>();
  for (const name of tokenizerFiles) if (await isSound(name)) sound.add(name);
  const hasTokenizer = holdsTokenizer((name) => sound.has(name)) && sound.has(TOKENIZER_CONFIG);
  const first = damaged[0] === undefined ? lacking[0] : damaged[0];
  const lack =
    first === undefined ? undefined : `${damaged.includes(first) ? 'has a damaged' : 'lacks'} ${first}`;
  return { lack, damaged: [...new Set(damaged)], whole: lack === undefined && hasTokenizer };
}
