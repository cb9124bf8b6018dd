// The logit lens: what the model would say after each token if each layer were its last.
import { loadModel } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-gpt2');
const text = process.argv[3] ?? 'Alice was beginning to get very tired of sitting by her sister';

const { ids, lens } = await model.run(text, { lens: { top: 1 } });
const [states, tokens] = lens.ids.shape;
const column = (shown) => shown.slice(0, 10).padEnd(11);
const quoted = (id) => JSON.stringify(model.decode([id]));

console.log(column('after'), [...ids].map((id) => column(quoted(id))).join(''));
for (let state = states - 1; state >= 0; state--) {
  const best = lens.ids.values.subarray(state * tokens, (state + 1) * tokens);
  console.log(column(`state ${state}`), [...best].map((id) => column(quoted(id))).join(''));
}
const losses = lens.loss.values.slice(-(tokens - 1));
const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
console.log(`loss ${mean.toFixed(2)} nats a token`);
model.dispose();
