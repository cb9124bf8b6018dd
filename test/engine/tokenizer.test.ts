import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import { FileError, FormatError } from '../../src/engine/errors.ts';
import type { ModelFiles } from '../../src/engine/files.ts';
import { bytesSource } from '../../src/engine/files.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';

function folder(contents: Record<string, Uint8Array>): ModelFiles {
  return {
    name: 'folder',
    open: (fileName) =>
      Promise.resolve(contents[fileName] && bytesSource(`folder/${fileName}`, contents[fileName])),
  };
}

const encode = (text: string) => new TextEncoder().encode(text);

describe('loadTokenizer', () => {
  it.each([
    ['alice-gpt2', true],
    ['alice-gpt2', false],
    ['alice-pythia', true],
    ['alice-pythia', false],
  ])('%s gives the ids of the golden window, tokenizer_config.json there: %s', async (model, withConfig) => {
    const tokenizer = await loadTokenizer(
      folder({
        'tokenizer.json': await readFixture(`weights/${model}/tokenizer.json`),
        ...(withConfig && {
          'tokenizer_config.json': await readFixture(`weights/${model}/tokenizer_config.json`),
        }),
      }),
    );
    const ids = tokenizer.encode(new TextDecoder().decode(await readFixture('weights/text/alice.txt')));
    expect(ids.length).toBe(57035);

    const golden = await readFixture(`test/golden/${model}/expected.safetensors`);
    const place = (await readHeader(bytesSource('golden', golden))).tensors.get('real.ids')!;
    const expected = new Int32Array(golden.slice(place.offset, place.offset + place.bytes).buffer);
    const start = Math.floor(ids.length / 2);
    expect(ids.slice(start, start + 256)).toEqual([...expected]);
  });

  it('adds nothing to the text', async () => {
    const tokenizer = await loadTokenizer(
      folder({ 'tokenizer.json': await readFixture('weights/alice-gpt2/tokenizer.json') }),
    );
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.encode('C')).toEqual([34]);
  });

  it('names what is wrong with the files', async () => {
    await expect(loadTokenizer(folder({}))).rejects.toThrow(FileError);
    await expect(loadTokenizer(folder({}))).rejects.toThrow(/folder: has no tokenizer\.json/);
    for (const text of ['{', '[]', '{}', '{"model": {"type": "Unknown"}}']) {
      const broken = folder({ 'tokenizer.json': encode(text) });
      await expect(loadTokenizer(broken)).rejects.toThrow(FormatError);
      await expect(loadTokenizer(broken)).rejects.toThrow(/^folder\/tokenizer\.json: [^\n]*$/);
    }
    const brokenConfig = folder({
      'tokenizer.json': await readFixture('weights/alice-gpt2/tokenizer.json'),
      'tokenizer_config.json': encode('[]'),
    });
    await expect(loadTokenizer(brokenConfig)).rejects.toThrow(/tokenizer_config\.json: is not a JSON object/);
  });
});
