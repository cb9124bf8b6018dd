// Steering: the direction from one text to another, added to every position of a third, changes what comes next.
import { loadModel } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-pythia');
const { width, layers } = model.config;
const at = `blocks.${Math.floor(layers / 2)}.hook_resid_post`;

const [towards, from] = await model.run([' the Queen', ' the White Rabbit'], { capture: [at] });
const last = ({ activations }) => activations[at].values.slice(-width);
const start = last(from);
const direction = last(towards).map((value, index) => value - start[index]);

const text = 'said the';
for (const strength of [0, 1, 2, 4]) {
  const value = direction.map((number) => strength * number);
  const { lens } = await model.run(text, { edits: [{ at, op: 'add', value }], lens: { top: 5 } });
  const best = [...lens.ids.values.slice(-5)].map((id) => JSON.stringify(model.decode([id])));
  const chance = Math.exp(lens.logProbabilities.values.at(-5));
  console.log(`strength ${strength}: ${text}… ${best.join(' ')}  (the first: ${(100 * chance).toFixed(1)}%)`);
}
model.dispose();
