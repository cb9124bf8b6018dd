// @ts-check
/** What run.js calls in the browser: prepare each program, compare their numbers, run one once. */
import { fetchCheckpoint } from './checkpoint.js';
import { jaxJs, laminar, onnxruntime } from './programs.js';

const FOLDER = '/weights/alice-gpt2';
/** @type {Record<string, import('./programs.js').Program>} */
const programs = {};
/** @type {Record<string, { states: Float32Array[], maxLogSoftmax: Float32Array, values: Float32Array[] | null }>} */
const answers = {};

/** @param {string} name @param {number[][]} ids */
async function prepare(name, ids) {
  const sequences = ids.map((sequence) => Int32Array.from(sequence));
  const program =
    name === 'laminar'
      ? await laminar(FOLDER, sequences)
      : await (name === 'jax-js' ? jaxJs : onnxruntime)(await fetchCheckpoint(FOLDER), sequences);
  programs[name] = program;
  const maxLogSoftmax = await program.forward();
  const states = await program.read();
  /** @type {string | null} */
  let spectraFault = program.spectra ? null : 'has no singular values';
  /** @type {Float32Array[] | null} */
  let values = null;
  try {
    values = program.spectra && (await program.spectra());
  } catch (error) {
    spectraFault = String(error);
  }
  answers[name] = { states, maxLogSoftmax, values };
  return { versions: program.versions, spectraFault, ...compare(name) };
}

/** How far a program's numbers lie from Laminar's. @param {string} name */
function compare(name) {
  const [one, other] = [answers['laminar'], answers[name]];
  if (!one || !other) throw new Error('laminar is prepared first');
  const means = [0, 1].map((half) => {
    const { length } = other.maxLogSoftmax;
    return (
      other.maxLogSoftmax.slice((half * length) / 2, ((half + 1) * length) / 2).reduce((a, b) => a + b, 0) /
      (length / 2)
    );
  });
  return {
    states: one.states.map((state, layer) => distance(state, other.states[layer])),
    maxLogSoftmax: Math.max(
      ...one.maxLogSoftmax.map((value, i) => Math.abs(value - (other.maxLogSoftmax[i] ?? NaN))),
    ),
    // Relative to the largest of each matrix.
    singularValues:
      one.values && other.values
        ? one.values.map(
            (values, matrix) =>
              Math.max(...values.map((value, i) => Math.abs(value - (other.values?.[matrix]?.[i] ?? NaN)))) /
              (values[0] ?? 1),
          )
        : null,
    meanMaxLogSoftmax: { real: means[0], shuffled: means[1] },
  };
}

/** ‖a − b‖ / ‖a‖ @param {Float32Array} a @param {Float32Array | undefined} b */
function distance(a, b) {
  let [difference, norm] = [0, 0];
  a.forEach((value, index) => {
    difference += (value - (b?.[index] ?? NaN)) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

/** @param {string} name @param {'forward' | 'spectra'} job @returns {Promise<number>} seconds */
async function time(name, job) {
  const run = programs[name]?.[job];
  if (!run) throw new Error(`${name} has no ${job}`);
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

Object.assign(globalThis, { peers: { prepare, time } });
