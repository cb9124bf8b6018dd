// @ts-check
/**
 * @typedef {object} Checkpoint
 * @property {Record<string, any>} config
 * @property {(name: string) => { shape: number[], values: Float32Array }} tensors F32, by name without the prefix
 */

/**
 * Fetches an F32 checkpoint in one safetensors file.
 * @param {string} folder
 * @returns {Promise<Checkpoint>}
 */
export async function fetchCheckpoint(folder) {
  const config = await (await fetch(`${folder}/config.json`)).json();
  const bytes = await (await fetch(`${folder}/model.safetensors`)).arrayBuffer();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  return {
    config,
    tensors(name) {
      const entry = header[name] ?? header[`transformer.${name}`];
      if (entry?.dtype !== 'F32') throw new Error(`${name} is not an F32 tensor of ${folder}`);
      const [begin, end] = entry.data_offsets;
      return {
        shape: entry.shape,
        values: new Float32Array(bytes.slice(8 + length + begin, 8 + length + end)),
      };
    },
  };
}
