import type { TensorDeclaration } from '../engine/safetensors-tensors.ts';
import { encodeHeader } from '../engine/safetensors.ts';

/**
 * A safetensors file as a Blob.
 * @param chunks each tensor's bytes, in as many parts as they came in
 */
export function safetensorsBlob(
  declarations: readonly TensorDeclaration[],
  chunks: ReadonlyMap<string, readonly BlobPart[]>,
): Blob {
  const { bytes, tensors, fileSize } = encodeHeader(declarations);
  const parts = [...tensors.keys()].flatMap((name) => [...(chunks.get(name) ?? [])]);
  const blob = new Blob([bytes, ...parts], { type: 'application/octet-stream' });
  if (blob.size !== fileSize)
    throw new Error(`a safetensors file of ${fileSize} bytes came out as ${blob.size}`);
  return blob;
}
