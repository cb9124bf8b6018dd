import { spectra as spectraOn } from '../analysis/activation-spectra.ts';
import type { ActivationSpectrum, ShapedValues, SpectraOptions } from '../analysis/activation-spectra.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { LoadedModel } from '../engine/loaded-model.ts';
import type { LoadModelOptions } from '../engine/loaded-model.ts';
import type { ModelFiles } from '../engine/files.ts';
import { defaultMemoryLimit } from '../engine/memory.ts';
import { folderFiles } from './files.ts';
import { openNodeGpu } from './gpu.ts';
import { machineMemory } from './machine-memory.ts';
import { findModel } from './model-source.ts';

export interface LoadNamedModelOptions extends LoadModelOptions {
  /** Branch, tag or commit of a model on the hub. */
  readonly revision?: string | undefined;
}

/**
 * Loads a model by name, and opens a GPU for it if none is given: hardware, else a software one.
 * @param reference a folder, a bundled model such as alice-gpt2, a hub id such as gpt2-xl (fetched into the cache that
 * Python's huggingface_hub uses), or the model's files wherever they lie
 * @throws FileError if there is no such model or it cannot be fetched, and what `LoadedModel.open` throws
 */
export async function loadModel(
  reference: string | ModelFiles,
  options: LoadNamedModelOptions = {},
): Promise<LoadedModel> {
  const { revision, signal, onProgress, onNotice } = options;
  const openGpu = (weightBytes: number): Promise<Gpu> =>
    openNodeGpu({
      memoryLimit: (adapter) => defaultMemoryLimit(adapter, weightBytes, machineMemory()),
      ...(onNotice && { onNotice }),
    });
  if (typeof reference !== 'string') return LoadedModel.open(reference, options, openGpu);
  const { folder } = await findModel(reference, {
    revision,
    signal,
    terminal: {
      notice: (line) => onNotice?.(line),
      stage: () => (done, total) => onProgress?.({ stage: 'fetch', done, total }),
    },
  });
  return LoadedModel.open(folderFiles(folder), options, openGpu);
}

/**
 * Spectra and dimensions of activations by name, as `spectra` of `laminar-webgpu` gives them; it opens a GPU as `loadModel`
 * does if `options.gpu` gives none.
 * @throws InputError naming what is not a matrix or lacks numbers, NumericalError naming what holds NaN or infinity,
 * DeviceError if no GPU can be opened or it fails
 */
export function spectra(
  activations: Readonly<Record<string, ShapedValues>> | ReadonlyMap<string, ShapedValues>,
  options: SpectraOptions = {},
): Promise<Record<string, ActivationSpectrum>> {
  return spectraOn(activations, options, () => openNodeGpu());
}
