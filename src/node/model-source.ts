import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { InputError } from '../engine/errors.ts';
import { bundledPath, isBundledModel } from './bundled.ts';
import { resolveModelFolder } from './hub.ts';
import type { Terminal } from './terminal.ts';

/** Where a model's files lie, and what a report calls it. */
export interface ModelSource {
  /** A folder's base name, or the id on the hub. */
  readonly id: string;
  readonly folder: string;
  /** The commit on the hub; null for a folder. */
  readonly revision: string | null;
}

/**
 * Finds the model that MODEL names: a folder, else one of the bundled models, else one on the hub, which is fetched.
 * @param revision the value of --revision
 * @throws InputError if a revision is asked of a folder
 * @throws FileError if there is no such folder, or the model cannot be fetched
 */
export async function findModel(
  reference: string,
  options: { revision: string | undefined; signal: AbortSignal; terminal: Terminal },
): Promise<ModelSource> {
  const { revision, signal, terminal } = options;
  const isFolder = await stat(reference).then(
    (status) => status.isDirectory(),
    () => false,
  );
  const folder = isFolder
    ? reference
    : isBundledModel(reference)
      ? bundledPath(`weights/${reference}`)
      : undefined;
  if (folder !== undefined) {
    if (revision !== undefined) {
      throw new InputError(
        `--revision ${revision}: ${reference} is a folder; only models of the hub have revisions`,
      );
    }
    return { id: basename(resolve(folder)), folder, revision: null };
  }
  const onFetched = terminal.stage('fetch', 'bytes');
  const found = await resolveModelFolder(reference, {
    revision,
    signal,
    onProgress: ({ bytesDone, bytesTotal }) => {
      onFetched(bytesDone, bytesTotal);
    },
    onNotice: (line) => {
      terminal.notice(`laminar: ${line}`);
    },
  });
  return { id: reference, ...found };
}
