/**
 * What comes before the first work on the GPU, and how often a run waits for it: `node bench/start.js [MODEL]`, after a build. CPU times
 * are those of this process.
 */
const inMilliseconds = ({ user, system }) => (user + system) / 1000;
const moments = [];
const mark = (stage) =>
  moments.push({ stage, cpu: inMilliseconds(process.cpuUsage()), at: performance.now() });

mark('Node itself');
const { openNodeGpu, loadModel } = await import('../dist/node/index.js');
mark('importing laminar-webgpu/node');
const gpu = await openNodeGpu();
mark('opening the GPU');
const name = process.argv[2] ?? 'alice-gpt2';
const ids = Array.from({ length: 64 }, (_, index) => index + 5);
const first = await loadModel(name, { gpu });
await first.run(ids);
first.dispose();
mark(`loading ${name} and a run, with compiling`);

// Dawn brings them with the first GPU.
const { GPUQueue, GPUBuffer, GPUDevice, GPUComputePassEncoder } = globalThis;
let counts = {};
let firstSubmission;
const count = (prototype, method, then) => {
  const original = prototype[method];
  prototype[method] = function (...given) {
    counts[method] = (counts[method] ?? 0) + 1;
    then?.();
    return original.apply(this, given);
  };
};
count(GPUQueue.prototype, 'submit', () => (firstSubmission ??= inMilliseconds(process.cpuUsage())));
count(GPUQueue.prototype, 'onSubmittedWorkDone');
count(GPUBuffer.prototype, 'mapAsync');
count(GPUDevice.prototype, 'createBindGroup');
count(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');

const model = await loadModel(name, { gpu });
counts = {};
firstSubmission = undefined;
await model.run(ids);
const toFirst = firstSubmission - moments.at(-1).cpu;

console.log(`${gpu.adapter.description}, Node ${process.version}`);
let before = { cpu: 0, at: 0 };
for (const { stage, cpu, at } of moments) {
  console.log(
    `${(cpu - before.cpu).toFixed(0).padStart(6)} ms of CPU, ${(at - before.at).toFixed(0).padStart(6)} ms: ${stage}`,
  );
  before = { cpu, at };
}
console.log(
  `${toFirst.toFixed(0).padStart(6)} ms of CPU from loading again to a run's first submission, nothing compiled`,
);
console.log(
  `a run of ${ids.length} tokens: ${Object.entries(counts)
    .map(([what, times]) => `${what} ${times}`)
    .join(', ')}`,
);
model.dispose();
gpu.dispose();
