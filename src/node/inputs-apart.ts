import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { InputError } from '../engine/errors.ts';
import { tokenizerFiles } from '../engine/tokenizer/files.ts';
import { chooseWeightFiles, weightCandidates } from '../engine/weight-files.ts';

const CONFIG = 'config.json';

/** What a run reads. */
export interface RunInputs {
  /** The model's folder. */
  readonly modelFolder: string;
  /** Paths of its weights. */
  readonly weights: readonly string[];
  /** Paths or addresses of the text and of the token ids. */
  readonly others: readonly (string | undefined)[];
}

/**
 * Refuses, before the work, outputs that would take the place of what the run reads: the same file under any name or
 * link, and files that would then be read as a part of the model.
 * @throws InputError naming both
 */
export async function checkApart(
  outputs: readonly string[],
  { modelFolder, weights, others }: RunInputs,
): Promise<void> {
  const inputs = [
    ...weights,
    ...[CONFIG, ...tokenizerFiles, ...weightCandidates].map((name) => `${modelFolder}/${name}`),
    ...others.filter((path) => path !== undefined),
  ];
  const read = new Map<string, string>();
  for (const path of inputs) {
    const file = await identity(path);
    if (file !== undefined) read.set(file, path);
  }
  const folder = await identity(modelFolder);
  const names = folder === undefined ? [] : await readdir(modelFolder).catch(() => []);
  for (const path of outputs) {
    const file = await identity(path);
    const input = file === undefined ? undefined : read.get(file);
    if (input !== undefined) {
      const same = input === path ? 'is read by this run' : `is ${input}, which this run reads`;
      throw new InputError(`${path}: ${same}; give another --out`);
    }
    if (folder === undefined || (await identity(dirname(path))) !== folder) continue;
    const name = basename(path);
    const isOfModel = name === CONFIG || tokenizerFiles.includes(name);
    if (isOfModel || changesWeights(names, name)) {
      throw new InputError(
        `${path}: would be taken for a part of the model in ${modelFolder}; give another --out`,
      );
    }
  }
}

/** Whether other files would be taken for a model's weights if there were one more. */
function changesWeights(names: readonly string[], name: string): boolean {
  const choice = (present: readonly string[]) => JSON.stringify(chooseWeightFiles(present));
  return choice([...new Set([...names, name])]) !== choice(names);
}

/** One value for all names of a file, including links and other spellings; undefined if there is no such file. */
async function identity(path: string): Promise<string | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  return status && `${status.dev}:${status.ino}`;
}
