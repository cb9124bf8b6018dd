import { tmpdir } from 'node:os';
import { describeModel } from '../../engine/description.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { folderFiles } from '../files.ts';
import { makeCheckpoint } from '../make-checkpoint.ts';
import type { MakeCheckpointOptions } from '../make-checkpoint.ts';
import { cleanStaging, makeStaging, removeStaging } from '../staging.ts';

/**
 * Makes random weights in the temporary folder for as long as `use` takes, and removes them whatever happens; those of a
 * process that was killed are removed by the next.
 */
export async function withRandomModel<Result>(
  options: Omit<MakeCheckpointOptions, 'out'>,
  use: (description: ModelDescription) => Promise<Result>,
): Promise<Result> {
  await cleanStaging(tmpdir());
  const folder = await makeStaging(tmpdir());
  try {
    await makeCheckpoint({ ...options, out: folder });
    return await withModel(folder, use);
  } finally {
    await removeStaging(folder);
  }
}

/** Opens the model in a folder for as long as `use` takes. */
export async function withModel<Result>(
  folder: string,
  use: (description: ModelDescription) => Promise<Result>,
): Promise<Result> {
  const description = await describeModel(folderFiles(folder));
  try {
    return await use(description);
  } finally {
    await description.close();
  }
}

/** The step from one token id to the next: a prime number, so that the ids differ. */
const STEP = 7919;

/** Token ids that differ as long as the vocabulary allows. */
export function spreadIds(tokens: number, vocabulary: number, first = 0): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: tokens }, (_, index) => (STEP * (first + index)) % vocabulary);
}
