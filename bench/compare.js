// @ts-check
/**
 * Lays answers of `laminar bench --json`, bench/pytorch.py and bench/peers side by side, as a Markdown table. Before any
 * time is shown, the answers must be equal: effective dimension and rank of each state, and the mean max log-softmax.
 *
 *   node bench/compare.js laminar.json pytorch.json
 */
import { readFile } from 'node:fs/promises';

const paths = process.argv.slice(2);
if (paths.length < 2)
  throw new Error('give two JSON files or more: node bench/compare.js laminar.json pytorch.json');
const results = await Promise.all(paths.map(async (path) => JSON.parse(await readFile(path, 'utf8'))));
const [first] = results;

for (const [index, result] of results.entries()) {
  for (const field of ['tokens', 'ids', 'answers']) {
    if (result[field] === undefined) throw new Error(`${paths[index]}: has no ${field}; is it of a profile?`);
  }
  if (JSON.stringify(result.ids) !== JSON.stringify(first.ids)) {
    throw new Error(`${paths[index]}: ran other token ids than ${paths[0]}; give both the same`);
  }
  const faults = differences(first.answers, result.answers);
  if (faults.length > 0) throw new Error(`${paths[index]}: gives other answers: ${faults.join('; ')}`);
}

const { model, tokens } = first;
console.log(
  `${model.id}: ${model.layers} layers of width ${model.width}, 2 x ${tokens} tokens. The answers are equal.\n`,
);
printRow(['program', 'adapter', 'date', 'stage', 'way', 'time', 'CPU time', 'to the first']);
printRow(Array.from({ length: 8 }, () => '---'));
for (const stage of ['forward', 'spectrum', 'whole']) {
  for (const result of results) {
    if (!result[stage]) continue; // a peer that has no spectra
    const { adapter, versions, date } = result;
    const program = Object.entries(versions)
      .filter(([, version]) => version !== null)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ');
    const note = adapter.software ? `${adapter.description}; not measured on hardware` : adapter.description;
    const ways = result.variants?.[stage] ?? [{ name: '', ...result[stage] }];
    for (const way of ways) {
      printRow([
        program,
        note,
        date.slice(0, 10),
        stage,
        way.name,
        inWords(way.seconds),
        inWords(way.cpu_seconds),
        `${(way.seconds / first[stage].seconds).toFixed(2)}`,
      ]);
    }
  }
}

/**
 * @param {any} one
 * @param {any} other
 * @returns {string[]}
 */
function differences(one, other) {
  const faults = [];
  for (const sequence of ['real', 'shuffled']) {
    for (const measure of ['effective_dimension', 'rank']) {
      if (!one[measure] || !other[measure]) continue; // a peer that has no spectra
      const [a, b] = [one[measure][sequence], other[measure][sequence]];
      a.forEach((/** @type {number} */ value, /** @type {number} */ layer) => {
        if (value !== b[layer])
          faults.push(`${measure} of layer ${layer}, ${sequence}: ${value} and ${b[layer]}`);
      });
    }
    const [a, b] = [one.mean_max_log_softmax?.[sequence], other.mean_max_log_softmax?.[sequence]];
    if (a !== undefined && b !== undefined && Math.abs(a - b) > 1e-4) {
      faults.push(`mean max log-softmax, ${sequence}: ${a} and ${b}`);
    }
  }
  return faults;
}

/** @param {number | undefined} seconds */
function inWords(seconds) {
  if (seconds === undefined) return '';
  return seconds < 1
    ? `${Number((1000 * seconds).toPrecision(3))} ms`
    : `${Number(seconds.toPrecision(3))} s`;
}

/** @param {readonly string[]} cells */
function printRow(cells) {
  console.log(`| ${cells.join(' | ')} |`);
}
