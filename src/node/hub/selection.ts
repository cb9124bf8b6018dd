import { FormatError } from '../../engine/errors.ts';

export const CONFIG = 'config.json';
export const TOKENIZER = 'tokenizer.json';
export const TOKENIZER_CONFIG = 'tokenizer_config.json';
export const INDEX = 'model.safetensors.index.json';
export const SINGLE = 'model.safetensors';

/** What is fetched where the repository has it. */
export const BESIDE_WEIGHTS: readonly string[] = [CONFIG, TOKENIZER, TOKENIZER_CONFIG];

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
  /** The first file that is needed and not there, if any. */
  readonly missing: string | undefined;
  /** Everything that Laminar ever fetches is there, the files that not every model has included. */
  readonly whole: boolean;
}

/**
 * Looks at what a cached snapshot holds.
 * @param read the text of a file, undefined where it is not there.
 * @param has whether a file is there.
 */
export async function inspectSnapshot(
  has: (name: string) => Promise<boolean>,
  read: (name: string) => Promise<string | undefined>,
): Promise<Holding> {
  const index = (await has(SINGLE)) ? undefined : await read(INDEX); // of both, the single file is what is read
  let weights = [SINGLE];
  try {
    if (index !== undefined) weights = readShardNames(index, INDEX);
  } catch {
    return { missing: INDEX, whole: false }; // a broken copy is as good as none
  }
  for (const name of [CONFIG, ...weights]) {
    if (!(await has(name))) return { missing: name, whole: false };
  }
  return { missing: undefined, whole: (await has(TOKENIZER)) && (await has(TOKENIZER_CONFIG)) };
}
