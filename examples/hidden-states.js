// Every hidden state of a text: how long the states of its tokens are, layer by layer.
import { loadModel } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-gpt2');
const text = process.argv[3] ?? 'Alice was beginning to get very tired of sitting by her sister on the bank';

const { ids, activations } = await model.run(text, {
  capture: ['blocks.0.hook_resid_pre', 'blocks.*.hook_resid_post', 'ln_final.hook_out'],
});
console.log([...ids].map((id) => JSON.stringify(model.decode([id]))).join(' '));
for (const { name, shape, values } of Object.values(activations)) {
  const [tokens, width] = shape;
  const norms = Array.from({ length: tokens }, (_, token) =>
    Math.hypot(...values.subarray(token * width, (token + 1) * width)),
  );
  console.log(name.padEnd(25), norms.map((norm) => norm.toFixed(1)).join(' '));
}
model.dispose();
