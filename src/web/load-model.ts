import { InputError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import type { LoadModelOptions, LoadedModel } from '../engine/loaded-model.ts';
import { parseHubReference } from '../hub/reference.ts';
import { chooseRevision } from '../hub/revision.ts';
import { chosenFiles } from './chosen-files.ts';
import { keptVerdicts } from './kept-verdicts.ts';
import { machineMemory } from './machine-memory.ts';
import { addressedModel, hubModel } from './remote-model.ts';
import type { ModelSource } from './remote-model.ts';

/**
 * A model by name: an id on the hub or the address of its page there; the address of a folder of files; the files of a
 * folder that the user chose; or files wherever they lie.
 */
export type NamedModel = string | URL | Iterable<File> | ModelFiles;

export interface LoadNamedModelOptions extends LoadModelOptions {
  /** Branch, tag or commit of a model on the hub. */
  readonly revision?: string | undefined;
}

/**
 * Loads a model by name, and opens the browser's GPU for it if none is given. What comes from the hub or an address is
 * kept between visits, in blocks, as far as the browser allows.
 * @throws InputError if a name cannot be a model, FileError if its files cannot be read, and what `LoadedModel.open`
 * throws
 */
export async function loadModel(
  model: NamedModel,
  options: LoadNamedModelOptions = {},
): Promise<LoadedModel> {
  const { signal, onProgress, onNotice } = options;
  // A page that imports this function fetches the engine with the first model, not before it shows anything.
  const [source, engine] = await Promise.all([findSource(model, options), import('./engine-part.ts')]);
  const { LoadedModel, defaultMemoryLimit, describeModel, openBrowserGpu } = engine;
  if ('download' in source) {
    // The headers say which files are needed, before the large weights are fetched.
    const description = await describeModel(source.files, { signal });
    try {
      await source.download((done, total) => onProgress?.({ stage: 'fetch', done, total }));
    } finally {
      await description.close();
    }
    signal?.throwIfAborted();
  }
  return LoadedModel.open(source.files, options, (weightBytes) =>
    openBrowserGpu({
      verdicts: keptVerdicts,
      memoryLimit: (adapter) => defaultMemoryLimit(adapter, weightBytes, machineMemory()),
      ...(onNotice && { onNotice }),
    }),
  );
}

/**
 * The files of a model by name, for `describeModel` and `loadTokenizer`; they are fetched as they are read.
 * @throws InputError if a name cannot be a model, FileError if the hub does not answer or has no such model, and the
 * signal's reason if it aborts
 */
export async function modelFiles(
  model: NamedModel,
  options: Pick<LoadNamedModelOptions, 'revision' | 'signal' | 'onNotice'> = {},
): Promise<ModelFiles> {
  return (await findSource(model, options)).files;
}

async function findSource(
  model: NamedModel,
  { revision, signal, onNotice }: Pick<LoadNamedModelOptions, 'revision' | 'signal' | 'onNotice'>,
): Promise<ModelSource | Pick<ModelSource, 'files'>> {
  const options = {
    signal: signal ?? new AbortController().signal,
    onNotice: onNotice ?? (() => undefined),
  };
  if (typeof model === 'string') {
    const named = parseHubReference(model)?.revision;
    return hubModel(model, chooseRevision(named, revision, model), options);
  }
  if (revision !== undefined)
    throw new InputError('only models of the hub have revisions; leave revision out', {
      code: 'option-ambiguous',
      subject: { kind: 'option', name: 'revision' },
    });
  if (model instanceof URL) return addressedModel(new URL(model.href.replace(/\/?([?#].*)?$/, '/')), options);
  if (!(Symbol.iterator in model)) return { files: model };
  const files = [...model];
  if (files.length === 0) throw new InputError('no files are chosen; choose a folder that holds a model');
  const name = files[0]!.webkitRelativePath.split('/')[0] || 'the chosen folder';
  return { files: chosenFiles(name, files) };
}
