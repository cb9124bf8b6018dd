// @ts-check
/**
 * Measures how much memory runs take whose models do not fit it, and prints the table of memory.md.
 *
 *   npm run bench:memory                  all of them: about an hour on two cores without a GPU, 7 GB of disk
 *   npm run bench:memory -- depth states  some of them
 *   LAMINAR_BENCH_FOLDER=/disk …          makes the checkpoints there instead of in the temporary folder
 *
 * Each run is a process of its own, the built command as a user starts it; `--verbose` has it say at the end the most
 * GPU buffers and the most resident memory that it ever held.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Run
 * @property {string} group what it shows
 * @property {string} like
 * @property {number} layers
 * @property {number} tokens
 * @property {'profile' | 'capture'} command
 * @property {string} [gpuMemory] the bound
 * @property {string[]} [flags] of make-checkpoint
 */

const BOUND = '1500000000';

/** @type {readonly Run[]} */
const runs = [
  ...[6, 24, 48].map((layers) => capture('depth', 'gpt2-xl', layers, 64, BOUND)),
  ...[10, 200].map((layers) => capture('states', 'pythia-14m', layers, 1024, BOUND)),
  {
    group: 'pythia',
    like: 'pythia-2.8b',
    layers: 32,
    tokens: 32,
    command: 'profile',
    gpuMemory: BOUND,
    flags: ['--shards', '4'],
  },
  capture('unbounded', 'gpt2-xl', 48, 64, '12GB'),
];

/**
 * @param {string} group
 * @param {string} like
 * @param {number} layers
 * @param {number} tokens
 * @param {string} gpuMemory
 * @returns {Run}
 */
function capture(group, like, layers, tokens, gpuMemory) {
  return { group, like, layers, tokens, command: 'capture', gpuMemory };
}

const laminar = fileURLToPath(new URL('../dist/node/main.js', import.meta.url));
const wanted = process.argv.slice(2);
const chosen = runs.filter(({ group }) => wanted.length === 0 || wanted.includes(group));
if (chosen.length === 0) {
  const groups = [...new Set(runs.map(({ group }) => group))].join(', ');
  throw new Error(`none of the runs is called ${wanted.join(' or ')}; there are ${groups}`);
}

// The command hears Ctrl-C, too, and fails; then what was made is removed.
process.on('SIGINT', () => undefined);

const adapter = JSON.parse((await execute(['doctor', '--json'])).stdout).adapter.description;
const header = ['shape', 'layers', 'dtype', 'file', 'command', 'tokens', 'bound', 'states', 'GPU buffers'];
console.log(`Adapter: ${adapter}\n`);
printRow([...header, 'process', 'beyond the buffers', 'time']);
printRow(Array.from({ length: header.length + 3 }, () => '---'));
for (const run of chosen) printRow(await measure(run));

/**
 * Makes a checkpoint, runs the command on it and removes both.
 * @param {Run} run
 * @returns {Promise<string[]>} cells
 */
async function measure({ like, layers, tokens, command, gpuMemory, flags = [] }) {
  const folder = await mkdtemp(join(process.env['LAMINAR_BENCH_FOLDER'] ?? tmpdir(), 'laminar-memory-'));
  const model = join(folder, 'model');
  const ids = join(folder, 'ids.json');
  try {
    const made = await execute([
      ...['make-checkpoint', '--like', like, '--layers', String(layers), '--out', model, ...flags],
    ]);
    const file = /, ([\d.]+ [kMGT]?B) in /.exec(made.stdout)?.[1] ?? '';
    const { torch_dtype, n_embd, hidden_size } = JSON.parse(
      await readFile(join(model, 'config.json'), 'utf8'),
    );
    const width = n_embd ?? hidden_size;
    await writeFile(ids, JSON.stringify(Array.from({ length: tokens }, (_, i) => (7919 * i) % 50_000)));
    const out = command === 'capture' ? 'states.safetensors' : 'profile';
    const started = performance.now();
    const { stderr } = await execute([
      ...['--verbose', ...(gpuMemory ? ['--gpu-memory', gpuMemory] : [])],
      ...[command, model, '--ids', ids, '--out', join(folder, out)],
    ]);
    const seconds = (performance.now() - started) / 1000;
    const [, buffers, resident] = /GPU buffers (\d+) bytes, process (\d+) bytes/.exec(stderr) ?? [];
    const [gpu, all] = [Number(buffers), Number(resident)];
    // A capture has one sequence and residual_final; a profile has two sequences.
    const states = 4 * tokens * width * (command === 'capture' ? layers + 2 : 2 * (layers + 1));
    return [
      ...[like, String(layers), String(torch_dtype), file, command, String(tokens), gpuMemory ?? 'none'],
      ...[states, gpu, all, all - gpu].map((bytes) => `${Math.round(bytes / 1e6)} MB`),
      `${Math.round(seconds)} s`,
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<{ stdout: string, stderr: string }>}
 */
function execute(args) {
  const child = spawn(process.execPath, [laminar, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ stdout, stderr });
      else reject(new Error(`laminar ${args.join(' ')} ended with ${code}: ${stderr}`));
    });
  });
}

/** @param {readonly string[]} cells */
function printRow(cells) {
  console.log(`| ${cells.join(' | ')} |`);
}
