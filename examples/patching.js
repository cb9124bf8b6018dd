// Activation patching: which state of one text, put into another, brings the first one's answer back?
import { loadModel } from 'laminar-webgpu/node';

const model = await loadModel(process.argv[2] ?? 'alice-gpt2');
const [clean, corrupt] = ['then the March Hare', 'then the Mock Hare'].map((text) => model.tokenize(text));
if (clean.length !== corrupt.length) throw new Error('the two texts must have equally many tokens');

const capture = ['blocks.*.hook_resid_pre'];
const [source, target] = await model.run([clean, corrupt], { capture, loss: true });
const lossOf = ({ loss }) => loss.reduce((sum, value) => sum + value, 0);
console.log(`loss in nats: clean ${lossOf(source).toFixed(2)}, corrupt ${lossOf(target).toFixed(2)}`);

const { width } = model.config;
const show = (cells) => cells.map((cell) => cell.padStart(8)).join('');
console.log(`${'patched, in nats'.padEnd(24)}${show([...corrupt].map((id) => model.decode([id])))}`);
for (const { name, values } of Object.values(source.activations)) {
  const losses = [];
  for (let position = 0; position < clean.length; position++) {
    const value = values.subarray(position * width, (position + 1) * width);
    const edits = [{ at: name, op: 'replace', positions: [position], value }];
    losses.push(lossOf(await model.run(corrupt, { edits, loss: true })));
  }
  console.log(`${name.padEnd(24)}${show(losses.map((loss) => loss.toFixed(2)))}`);
}
model.dispose();
