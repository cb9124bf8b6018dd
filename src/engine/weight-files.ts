/** The names under which models keep their weights as safetensors, in the order in which they are looked for. */

export const weightFile = 'model.safetensors';
export const weightIndex = 'model.safetensors.index.json';

/** transformers' `variant` of a file, and the older name that some libraries write. */
const VARIANTS = ['fp32', 'bf16', 'fp16', 'float32', 'bfloat16', 'float16', 'non_ema'];

/** What may hold all weights, or the index of their shards, where the folder cannot be listed. */
export const weightCandidates: readonly string[] = [
  weightFile,
  weightIndex,
  'pytorch_model.safetensors',
  'pytorch_model.safetensors.index.json',
  'model-00001-of-00001.safetensors',
  ...VARIANTS.map((variant) => `model.${variant}.safetensors`),
  ...VARIANTS.map((variant) => `model.safetensors.index.${variant}.json`),
];

const SHARD = /^(.*)-(\d{5})-of-(\d{5})(\..*)?\.safetensors$/;
/** Not weights of a model: adapters, and what trainers write beside them. */
const OTHER = /^(adapter_|optimizer|scheduler|random_states|rng_state|training_args|tokenizer)/i;

/** The files of a model's weights: one index that names its shards, or the files themselves. */
export type WeightFiles =
  | { readonly index: string }
  /** `isGuess`: it has none of the usual names, so a notice should say which was taken. */
  | { readonly files: readonly string[]; readonly isGuess: boolean };

/**
 * Chooses among a folder's file names. A whole file comes before an index, the usual names before variants of them,
 * those before shards that no index names, and at last a safetensors file that stands alone.
 *
 * @returns undefined if there is nothing to choose, an array of names where there are several and no reason for one.
 */
export function chooseWeightFiles(names: readonly string[]): WeightFiles | readonly string[] | undefined {
  const present = new Set(names);
  const usual = weightCandidates.find((name) => present.has(name));
  if (usual !== undefined) return weightFilesOf(usual);

  const others = names.filter((name) => name.endsWith('.safetensors') && !OTHER.test(name)).sort();
  const index = names.filter((name) => /^[^.]+\.safetensors\.index(\.[^.]+)?\.json$/.test(name));
  if (index.length === 1) return { index: index[0]! };
  const shards = completeShards(others);
  if (shards) return { files: shards, isGuess: true };
  if (others.length > 1) return others;
  return others.length === 1 ? { files: others, isGuess: true } : undefined;
}

/** One of the candidates, as a choice. */
export function weightFilesOf(candidate: string): WeightFiles {
  if (candidate.endsWith('.json')) return { index: candidate };
  return { files: [candidate], isGuess: /^model\.[^.]+\.safetensors$/.test(candidate) };
}

/** Every shard of the one set that is there, or undefined if one is missing or there are several sets. */
function completeShards(names: readonly string[]): string[] | undefined {
  const sets = new Map<string, string[]>();
  for (const name of names) {
    const match = SHARD.exec(name);
    if (!match) continue;
    const set = `${match[1]}-of-${match[3]}${match[4] ?? ''}`;
    sets.set(set, [...(sets.get(set) ?? []), name]);
  }
  const [shards, ...more] = sets.values();
  if (!shards || more.length > 0) return undefined;
  return shards.length === Number(SHARD.exec(shards[0]!)![3]) ? shards : undefined;
}

/** Whether a name that a downloaded file gives, joined to a folder, stays in it, on every system. */
export function liesInside(name: string): boolean {
  if (name === '' || /[\\:\p{Cc}\p{Cs}]/u.test(name)) return false;
  return name.split('/').every((segment) => !/^\.*$/.test(segment));
}
