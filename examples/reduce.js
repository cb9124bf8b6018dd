// The causal test: how many components of a layer's states does the rest of the model need?
import { readFile } from 'node:fs/promises';
import { loadModel, reduceStates } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-gpt2');
const book = await readFile(new URL('../weights/text/alice.txt', import.meta.url), 'utf8');
const ids = model.tokenize(book).subarray(1000, 1000 + 48);

// Layer 3 is hidden_states[3]; each cut is a run of its own, and all of them are one batch.
const { cuts, loss } = await reduceStates(model, ids, { layers: [3], components: [1, 2, 4, 8, 16, '95%'] });
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
console.log(`without a cut: loss ${mean(loss[0]).toFixed(3)}`);
for (const { layer, components, explained, logits, loss: cutLoss, states } of cuts) {
  console.log(
    `layer ${layer} cut to ${components} components: ${explained.toFixed(0)}% of the variance,`,
    `loss ${mean(cutLoss).toFixed(3)}, KL ${mean(logits.divergence).toFixed(3)},`,
    `the last state changes by ${states.at(-1).relative_change.toFixed(2)},`,
    `${(100 * logits.argmaxAgreement).toFixed(0)}% of the answers stay`,
  );
}
model.dispose();
