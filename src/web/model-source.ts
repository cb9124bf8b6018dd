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
