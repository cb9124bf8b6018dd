import { InputError } from '../engine/errors.ts';
import { chosenFiles } from './chosen-files.ts';
import type { ModelChoice } from './messages.ts';
import { pageAddress } from './page-address.ts';
import { addressedModel, hubModel } from './remote-model.ts';
import type { ModelSource, SourceOptions } from './remote-model.ts';

/**
 * Finds the files of a model that the form chose.
 * @throws InputError if a hub id cannot be one, FileError if the hub does not answer or has no such model
 */
export async function findModel(choice: ModelChoice, options: SourceOptions): Promise<ModelSource> {
  switch (choice.kind) {
    case 'bundled':
      return addressedModel(new URL(`weights/${choice.name}/`, pageAddress()), options);
    case 'hub':
      return hubModel(choice.id, choice.revision, options);
    case 'folder':
      if (choice.files.length === 0)
        throw new InputError('no folder is chosen; choose one that holds a model');
      return {
        id: choice.name,
        revision: null,
        files: chosenFiles(choice.name, choice.files),
        download: () => Promise.resolve(),
      };
  }
}
<<<<<<< HEAD
=======

interface RemoteModel {
  readonly id: string;
  readonly revision: string | null;
  /** What its blocks are kept under. */
  readonly keptAs: string;
  /** The address that file names follow. */
  readonly base: string;
  /** Every file that there is, and its size, where that is known beforehand. */
  readonly sizes?: ReadonlyMap<string, number | undefined>;
}

async function remoteModel(
  { id, revision, keptAs, base, sizes }: RemoteModel,
  { signal, onNotice }: SourceOptions,
): Promise<ModelSource> {
  const kept = await KeptBlocks.open('model', keptAs, () => {
    onNotice(
      `The browser will not keep ${id} for the next visit (no room, or a private window); it runs all the same and will download again.`,
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
          url: base + fileName.split('/').map(encodeURIComponent).join('/'),
          name: `${id}/${fileName}`,
          size,
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
>>>>>>> deead79 (page: runs side by side, any threshold at once, a link to the form)
