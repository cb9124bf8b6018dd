// The spectrum of any activation: how many dimensions each layer's MLP output and each head's pattern use.
import { readFile } from 'node:fs/promises';
import { loadModel, spectra } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-pythia');
const book = await readFile(new URL('../weights/text/alice.txt', import.meta.url), 'utf8');
const ids = model.tokenize(book).subarray(1000, 1000 + 128);

const { activations } = await model.run(ids, {
  capture: ['blocks.*.hook_mlp_out', 'blocks.0.attn.hook_z', 'blocks.0.attn.hook_pattern'],
});
const measured = await spectra(activations, { gpu: model.gpu, threshold: 95 });
for (const [name, { rows, columns, singularValues, dimensions }] of Object.entries(measured)) {
  const { effective_dimension: effective, rank } = dimensions;
  const [largest] = singularValues;
  console.log(
    `${name.padEnd(28)} ${rows} x ${columns}  σ₁ ${largest.toFixed(2)}  ${effective} dimensions of ${rank}`,
  );
}
model.dispose();
