// @ts-check
/**
 * The programs that are compared. Each is prepared once and offers
 *   forward()   every state of the batch, left on the GPU, and the max log-softmax of each position, read back
 *   spectra()   the singular values of every state of each sequence, centred; null where the program has none
 *   read()      after forward(): the states as numbers, to compare
 */
import { gpt2Model } from './onnx.js';

/** @typedef {import('./checkpoint.js').Checkpoint} Checkpoint */
/**
 * @typedef {object} Program
 * @property {Record<string, string>} versions
 * @property {() => Promise<Float32Array>} forward
 * @property {(() => Promise<Float32Array[]>) | null} spectra
 * @property {() => Promise<Float32Array[]>} read
 */

/** @param {string} folder @param {Int32Array[]} sequences @returns {Promise<Program>} */
export async function laminar(folder, sequences) {
  // @ts-expect-error: the page's own address
  const library = await import('/laminar/index.js');
  const gpu = await library.openBrowserGpu();
  const files = {
    name: folder,
    async open(/** @type {string} */ name) {
      const response = await fetch(`${folder}/${name}`);
      return response.ok
        ? library.bytesSource(name, new Uint8Array(await response.arrayBuffer()))
        : undefined;
    },
  };
  const model = await library.Model.load(gpu, await library.describeModel(files));
  const { layers, width } = model.config;
  const tokens = /** @type {Int32Array} */ (sequences[0]).length;
  const bytes = 4 * sequences.length * tokens * width;
  const kept = Array.from({ length: layers + 1 }, (_, layer) => gpu.allocate(`state ${layer}`, bytes));
  return {
    versions: { laminar: library.laminarVersion },
    async forward() {
      const { maxLogSoftmax } = await model.run(sequences, {
        onState(/** @type {any} */ { name, layer, tensor }) {
          if (name !== 'hidden_states') return;
          const recorder = gpu.recorder();
          recorder.copy(tensor.buffer, 0, kept[layer], 0, bytes);
          recorder.submit();
        },
      });
      return joined(maxLogSoftmax);
    },
    async spectra() {
      const views = kept.flatMap((buffer, layer) =>
        sequences.map((_, index) => ({
          name: `state ${layer} of ${index}`,
          buffer,
          offset: index * tokens * width,
          rows: tokens,
          columns: width,
        })),
      );
      const spectra = await library.computeSpectra(gpu, views);
      return spectra.map((/** @type {any} */ { singularValues }) => singularValues);
    },
    read: () => Promise.all(kept.map(async (buffer) => new Float32Array(await gpu.readBytes(buffer)))),
  };
}

/** @param {Checkpoint} checkpoint @param {Int32Array[]} sequences @returns {Promise<Program>} */
export async function onnxruntime(checkpoint, sequences) {
  // @ts-expect-error: the page's own address
  const ort = await import('/onnxruntime-web/ort.webgpu.bundle.min.mjs');
  ort.env.wasm.wasmPaths = '/onnxruntime-web/';
  ort.env.wasm.numThreads = 1;
  const tokens = /** @type {Int32Array} */ (sequences[0]).length;
  const states = Array.from({ length: checkpoint.config['n_layer'] + 1 }, (_, layer) => `state${layer}`);
  const session = await ort.InferenceSession.create(gpt2Model(checkpoint, sequences.length, tokens), {
    executionProviders: ['webgpu'],
    preferredOutputLocation: Object.fromEntries(states.map((name) => [name, 'gpu-buffer'])),
  });
  const ids = Int32Array.from(sequences.flatMap((sequence) => [...sequence]));
  const feeds = { ids: new ort.Tensor('int32', ids, [sequences.length, tokens]) };
  /** @type {any} */
  let last;
  return {
    versions: { 'onnxruntime-web': ort.env.versions.web },
    async forward() {
      for (const name of states) last?.[name].dispose();
      last = await session.run(feeds);
      return last.max_log_softmax.data;
    },
    spectra: null, // ONNX has no operator for singular values
    read: async () => {
      const read = [];
      for (const name of states) read.push(Float32Array.from(await last[name].getData()));
      return read;
    },
  };
}

/** @param {Checkpoint} checkpoint @param {Int32Array[]} sequences @returns {Promise<Program>} */
export async function jaxJs({ config, tensors }, sequences) {
  // @ts-expect-error: the page's own address
  const { init, defaultDevice, jit, nn, numpy: np, blockUntilReady } = await import('/jax-js/index.js');
  if (!(await init('webgpu')).includes('webgpu')) throw new Error('jax-js found no WebGPU');
  defaultDevice('webgpu');
  const { n_embd: d, n_head: heads, n_layer: layers, layer_norm_epsilon: epsilon } = config;
  const [B, T, width] = [sequences.length, /** @type {Int32Array} */ (sequences[0]).length, d / heads];
  const names = ['wte.weight', 'wpe.weight', 'ln_f.weight', 'ln_f.bias'];
  for (let layer = 0; layer < layers; layer++)
    for (const part of ['ln_1', 'attn.c_attn', 'attn.c_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj'])
      names.push(`h.${layer}.${part}.weight`, `h.${layer}.${part}.bias`);
  const weights = Object.fromEntries(
    names.map((name) => {
      const { shape, values } = tensors(name);
      return [
        name,
        np.array(name === 'wpe.weight' ? values.slice(0, T * d) : values, {
          shape: name === 'wpe.weight' ? [T, d] : shape,
        }),
      ];
    }),
  );
  const ids = np.array(Int32Array.from(sequences.flatMap((sequence) => [...sequence])), {
    shape: [B * T],
    dtype: np.int32,
  });

  // Arrays are used up; `ref` keeps one for another use.
  const run = jit((/** @type {any} */ w, /** @type {any} */ tokens) => {
    const norm = (/** @type {any} */ x, /** @type {string} */ at) =>
      nn.standardize(x, -1, { epsilon }).mul(w[`${at}.weight`].ref).add(w[`${at}.bias`].ref);
    const linear = (/** @type {any} */ x, /** @type {string} */ at) =>
      np.matmul(x, w[`${at}.weight`].ref).add(w[`${at}.bias`].ref);
    const gelu = (/** @type {any} */ x) => {
      const cubic = x.ref.mul(x.ref).mul(x.ref).mul(0.044715);
      const inner = x.ref.add(cubic).mul(Math.sqrt(2 / Math.PI));
      return x.mul(np.tanh(inner).add(1)).mul(0.5);
    };
    let x = np.take(w['wte.weight'].ref, tokens, 0).reshape([B, T, d]).add(w['wpe.weight'].ref);
    const states = [x.ref];
    for (let layer = 0; layer < layers; layer++) {
      const at = `h.${layer}`;
      const parts = np.split(linear(norm(x.ref, `${at}.ln_1`), `${at}.attn.c_attn`), 3, -1);
      const [q, k, v] = parts.map((/** @type {any} */ part) => part.reshape([B, T, heads, width]));
      const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([B, T, d]);
      x = x.add(linear(attended, `${at}.attn.c_proj`));
      x = x.ref.add(linear(gelu(linear(norm(x, `${at}.ln_2`), `${at}.mlp.c_fc`)), `${at}.mlp.c_proj`));
      if (layer < layers - 1) states.push(x.ref);
    }
    const final = norm(x, 'ln_f');
    states.push(final.ref);
    const logits = np.matmul(final, np.transpose(w['wte.weight'].ref));
    for (const weight of Object.values(w)) weight.dispose();
    return [...states, np.max(nn.logSoftmax(logits, -1), -1)];
  });
  /** @type {any[]} */
  let last = [];
  return {
    versions: { 'jax-js': '0.1.25' },
    async forward() {
      for (const array of last) array.dispose();
      const kept = Object.fromEntries(Object.entries(weights).map(([name, array]) => [name, array.ref]));
      const outputs = await blockUntilReady(run(kept, ids.ref));
      last = outputs.slice(0, -1);
      return outputs.at(-1).data();
    },
    async spectra() {
      const values = [];
      for (const state of last) {
        const centred = state.ref.sub(np.mean(state.ref, 1, { keepdims: true }));
        values.push(np.linalg.svdvals(centred));
      }
      const read = await Promise.all(values.map((array) => array.data()));
      return read.flatMap((data) =>
        sequences.map((_, index) => data.slice((index * data.length) / B, ((index + 1) * data.length) / B)),
      );
    },
    read: () => Promise.all(last.map((array) => array.ref.data())),
  };
}

/** @param {Float32Array[]} arrays */
function joined(arrays) {
  return Float32Array.from(arrays.flatMap((array) => [...array]));
}
