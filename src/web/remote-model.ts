import type { ModelFiles } from '../engine/files.ts';
import { escapePath } from '../hub/addresses.ts';
import type { ListedHash } from './content-hash.ts';
import { findOnHub } from './hub-model.ts';
import { KeptBlocks } from './kept-blocks.ts';
import { openRemoteFile } from './remote-file.ts';
import type { RemoteFile } from './remote-file.ts';

/** A chosen model's files, and what a report calls it. */
export interface ModelSource {
  readonly id: string;
  /** The commit on the hub; null for others. */
  readonly revision: string | null;
  readonly files: ModelFiles;
  /** Downloads what was opened so far, with progress in bytes. Does nothing for a folder. */
  download(onProgress: (done: number, total: number) => void): Promise<void>;
}

export interface SourceOptions {
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}

/**
 * A model on the hub. Blocks of its files are kept between visits.
 * @param reference an id, or the address of a model's page
 * @param revision is used if the reference names none
 * @throws InputError if the reference cannot be one, FileError if the hub does not answer or has no such model
 */
export async function hubModel(
  reference: string,
  revision: string,
  options: SourceOptions,
): Promise<ModelSource> {
  const model = await findOnHub(reference, revision, options.signal);
  const keptAs = `${model.id}@${model.revision.slice(0, 12)}`;
  return remoteModel({ ...model, keptAs }, options);
}

/**
 * A model whose files lie below an address. Blocks of them are kept between visits.
 * @param folder ends with a slash; its last part is the model's name
 */
export function addressedModel(folder: URL, options: SourceOptions): Promise<ModelSource> {
  const id = decodeURIComponent(folder.pathname.split('/').at(-2) ?? '') || folder.host;
  return remoteModel({ id, revision: null, keptAs: id, base: folder.href }, options);
}

interface RemoteModel {
  readonly id: string;
  readonly revision: string | null;
  /** What its blocks are kept under. */
  readonly keptAs: string;
  /** The address that file names follow. */
  readonly base: string;
  /** Every file that there is, and its size, where that is known beforehand. */
  readonly sizes?: ReadonlyMap<string, number | undefined>;
  /** What the files' bytes must come to, where that is known. */
  readonly hashes?: ReadonlyMap<string, ListedHash>;
}

async function remoteModel(
  { id, revision, keptAs, base, sizes, hashes }: RemoteModel,
  { signal, onNotice }: SourceOptions,
): Promise<ModelSource> {
  const kept = await KeptBlocks.open('model', keptAs, () => {
    onNotice(
      `the browser will not keep ${id} for the next visit (no room, or a private window); it runs all the same and will download again`,
    );
  });
  const opened = new Map<string, RemoteFile>();
  return {
    id,
    revision,
    files: {
      name: id,
      ...(sizes && { list: () => Promise.resolve([...sizes.keys()].filter((each) => !each.includes('/'))) }),
      async open(fileName) {
        if (sizes && !sizes.has(fileName)) return undefined;
        const known = opened.get(fileName);
        if (known) return known;
        const size = sizes?.get(fileName);
        const place = {
          url: base + escapePath(fileName),
          name: `${id}/${fileName}`,
          size,
          hash: hashes?.get(fileName),
          kept,
          signal,
        };
        const file = await openRemoteFile(place);
        if (file) opened.set(fileName, file);
        return file;
      },
    },
    async download(onProgress) {
      const files = [...opened.values()];
      const total = files.reduce((sum, { size }) => sum + size, 0);
      let done = 0;
      onProgress(0, total);
      for (const file of files) {
        await file.download((bytes) => {
          onProgress((done += bytes), total);
        });
      }
    },
  };
}
