import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFloats } from '../../src/engine/decode.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { openFile } from '../../src/node/files.ts';
import { complaints } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);

const golden = (path: string) => fileURLToPath(new URL(`../golden/${path}`, import.meta.url));

interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function readTensors(path: string): Promise<Map<string, StoredTensor>> {
  const source = await openFile(path);
  try {
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, offset, bytes }] of (await readHeader(source)).tensors) {
      tensors.set(name, { dtype, shape, bytes: await source.read(offset, bytes) });
    }
    return tensors;
  } finally {
    await source.close();
  }
}

const floats = (tensors: Map<string, StoredTensor>, name: string): Float32Array => {
  const { dtype, bytes } = tensors.get(name)!;
  return decodeFloats(dtype, bytes, name);
};

describe('laminar capture', () => {
  it.each(['gpt2-f16', 'neox-bf16-sharded'])('writes the golden states and logits of %s', async (model) => {
    const folder = await temporaryFolder();
    const expected = await readTensors(golden(`${model}/expected.safetensors`));
    const ids = Array.from(new Int32Array(expected.get('a.ids')!.bytes.buffer));
    // Of a pair the real one is captured.
    const pair = { real: ids, shuffled: [...ids].reverse() };
    await writeFile(join(folder, 'ids.json'), JSON.stringify(pair));
    const result = await laminarHere(
      ['capture', golden(model), '--ids', 'ids.json', '--logits', '--out', 'made/states.safetensors'],
      { cwd: folder },
    );
    expect(complaints(result)).toBe('');
    expect(result.code).toBe(0);
    expect(await readdir(join(folder, 'made'))).toEqual(['states.safetensors']);

    const found = await readTensors(join(folder, 'made', 'states.safetensors'));
    const [states, tokens, width] = expected.get('a.hidden_states')!.shape as [number, number, number];
    const vocabulary = expected.get('a.logits')!.shape[1]!;
    expect([...found].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['ids', 'I32', [tokens]],
      ['hidden_states', 'F32', [states, tokens, width]],
      ['residual_final', 'F32', [tokens, width]],
      ['max_log_softmax', 'F32', [tokens]],
      ['argmax', 'I32', [tokens]],
      ['logits', 'F32', [tokens, vocabulary]],
    ]);
    expect(found.get('ids')!.bytes).toEqual(expected.get('a.ids')!.bytes);
    const hidden = floats(found, 'hidden_states');
    const reference = floats(expected, 'a.hidden_states');
    for (let layer = 0; layer < states; layer += 1) {
      const [start, end] = [layer * tokens * width, (layer + 1) * tokens * width];
      const error = distance(hidden.subarray(start, end), reference.subarray(start, end));
      expect(error).toBeLessThanOrEqual(1e-6 * (layer + 4));
    }
    const logits = floats(found, 'logits');
    expect(distance(logits, floats(expected, 'a.logits'))).toBeLessThanOrEqual(1e-6 * (states + 4));
    expectCloseTo(floats(found, 'max_log_softmax'), floats(expected, 'a.max_log_softmax'), 1e-4);
    const argmax = new Int32Array(found.get('argmax')!.bytes.buffer);
    argmax.forEach((token, row) => {
      const ofRow = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      expect(ofRow[token]).toBe(Math.max(...ofRow));
    });
    // The raw output of the last block is no state after the final norm.
    const last = hidden.subarray((states - 1) * tokens * width);
    expect(distance(floats(found, 'residual_final'), last)).toBeGreaterThan(0.01);
  });

  it('writes activations under their names, in the order of the pass', async () => {
    const folder = await temporaryFolder();
    const model = golden('activations/neox-parallel-odd-heads');
    const expected = await readTensors(`${model}/expected.safetensors`);
    const activations = await readTensors(`${model}/activations.safetensors`);
    const ids = Array.from(new Int32Array(expected.get('a.ids')!.bytes.buffer));
    await writeFile(join(folder, 'ids.json'), JSON.stringify(ids));
    const flags = ['--ids', 'ids.json', '--out', 'made.safetensors'];
    const at = ['blocks.*.hook_mlp_out', 'blocks.1.attn.hook_pattern', 'ln_final.hook_scale'];
    const result = await laminarHere(
      ['capture', model, '--at', ...at.slice(0, 2), '--at', at[2]!, ...flags],
      {
        cwd: folder,
      },
    );
    expect(complaints(result)).toBe('');
    expect(result.code).toBe(0);
    const found = await readTensors(join(folder, 'made.safetensors'));
    const names = [0, 1, 2].map((layer) => `blocks.${layer}.hook_mlp_out`);
    names.splice(1, 0, at[1]!);
    expect([...found.keys()]).toEqual(['ids', ...names, at[2]]);
    for (const name of [...found.keys()].slice(1)) {
      expect(found.get(name)!.shape).toEqual(activations.get(`a.${name}`)!.shape);
      expect(distance(floats(found, name), floats(activations, `a.${name}`))).toBeLessThanOrEqual(5e-6);
    }

    const part = await laminarHere(
      ['capture', model, '--at', at[1]!, '--heads', '0-1', '--positions', '2,12', '--logits', ...flags],
      { cwd: folder },
    );
    expect(complaints(part)).toBe('');
    const chosen = await readTensors(join(folder, 'made.safetensors'));
    const tokens = ids.length;
    expect([...chosen].map(([name, { shape }]) => [name, shape])).toEqual([
      ['ids', [tokens]],
      [at[1], [2, 2, tokens]],
      ['max_log_softmax', [tokens]],
      ['argmax', [tokens]],
      ['logits', [tokens, 101]],
    ]);
    const whole = floats(found, at[1]!);
    const rows = [2, 12, tokens + 2, tokens + 12].flatMap((row) =>
      Array.from(whole.subarray(row * tokens, (row + 1) * tokens)),
    );
    expect(Array.from(floats(chosen, at[1]!))).toEqual(rows);
  });

  it('writes a file for each of several texts, into a folder', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'hare.txt'), 'Take some more tea, the March Hare said');
    await writeFile(join(folder, 'cat.txt'), 'We are all mad here');
    const texts = ['--text', 'hare.txt', '--text', 'cat.txt'];
    const flags = ['--at', 'hook_embed', '--out', 'made'];
    const result = await laminarHere(['capture', ...texts, ...flags], { cwd: folder });
    expect(result.code).toBe(0);
    expect(result.stdout.trimEnd().split('\n')).toHaveLength(2);
    const [hare, cat] = await Promise.all(
      ['hare', 'cat'].map((name) => readTensors(join(folder, `made/${name}.safetensors`))),
    );
    expect([...cat!.keys()]).toEqual(['ids', 'hook_embed']);
    expect(hare!.get('ids')!.shape[0]).toBeGreaterThan(cat!.get('ids')!.shape[0]!);
    const double = await laminarHere(['capture', '--text', 'cat.txt', ...texts, ...flags], { cwd: folder });
    expect(double).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/would hold two of the texts/) as string,
    });
  });

  it('plans what activations take, and refuses what is no name with names that are near', async () => {
    const model = golden('activations/gpt2-plain');
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'ids.json'), JSON.stringify([5, 6, 7, 8]));
    const flags = ['capture', model, '--ids', 'ids.json'];
    const plan = async (...more: string[]) => {
      const result = await laminarHere([...flags, '--plan', '--json', ...more], { cwd: folder });
      expect(complaints(result)).toBe('');
      return JSON.parse(result.stdout) as {
        fits: boolean;
        file_bytes: number;
        host_bytes: number;
        read_bytes: number;
        gpu_bytes: { captures: number; total: number };
        operations: { forward: number };
        tensors: { name: string; shape: number[] }[];
      };
    };
    const states = await plan();
    const patterns = await plan('--at', 'blocks.*.attn.hook_pattern');
    expect(states.tensors.map(({ name }) => name)).toContain('hidden_states');
    expect(states.gpu_bytes.captures).toBe(0);
    expect(patterns.tensors.map(({ shape }) => shape)).toEqual([[4], [3, 4, 4], [3, 4, 4], [3, 4, 4]]);
    expect(patterns.file_bytes).toBe(4 * (4 + 3 * 48));
    expect(patterns.gpu_bytes.captures).toBe(2 * 4 * 48);
    expect(patterns.gpu_bytes.total).toBeGreaterThan(states.gpu_bytes.total);
    expect(patterns.fits).toBe(true);
    expect(states.operations.forward).toBeGreaterThan(0);
    expect(states.read_bytes).toBeGreaterThan(0);
    expect(states.host_bytes).toBeGreaterThan(states.gpu_bytes.total);
    expect(await plan('--out', 'planned.safetensors')).toEqual(states);
    expect(await readdir(folder)).toEqual(['ids.json']);

    const misspelt = await laminarHere([...flags, '--at', 'blocks.*.hook_mlp_uot', '--out', 'x'], {
      cwd: folder,
    });
    expect(misspelt.code).toBe(2);
    expect(misspelt.stderr).toMatch(/blocks\.\*\.hook_mlp_uot: .* near it .*blocks\.\*\.hook_mlp_out/);
    for (const [more, message] of [
      [['--out', 'x', '--heads', '1'], /--heads is for activations; name some with --at/],
      [['--at', '*'], /--out is missing/],
      [['--at', '*', '--out', 'x', '--positions', '2-1'], /--positions "2-1" is not a list of numbers/],
      [
        ['--at', 'hook_embed', '--out', 'x', '--positions', '4'],
        /position 4 does not exist; there are 0 to 3/,
      ],
    ] as const) {
      const result = await laminarHere([...flags, ...more], { cwd: folder });
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(message);
    }
    expect(await readdir(folder)).toEqual(['ids.json']);
  });
});

/** ‖x − reference‖ / ‖reference‖ */
function distance(values: Float32Array, reference: Float32Array): number {
  let difference = 0;
  let norm = 0;
  reference.forEach((value, index) => {
    difference += (values[index]! - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

function expectCloseTo(values: Float32Array, reference: Float32Array, tolerance: number): void {
  expect(values).toHaveLength(reference.length);
  reference.forEach((value, index) => {
    expect(Math.abs(values[index]! - value)).toBeLessThanOrEqual(tolerance);
  });
}
