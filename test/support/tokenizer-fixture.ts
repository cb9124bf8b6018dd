import { readFixture } from '#platform';
import type { ModelFiles } from '../../src/engine/files.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import type { Tokenizer } from '../../src/engine/tokenizer.ts';
import { memorySource } from './fixture-files.ts';

/** A model's folder in memory: texts as they are, other values as JSON. */
export function folder(contents: Readonly<Record<string, unknown>>): ModelFiles {
  return {
    name: 'folder',
    open: (fileName) => {
      const content = contents[fileName];
      if (content === undefined) return Promise.resolve(undefined);
      const text = typeof content === 'string' ? content : JSON.stringify(content);
      return Promise.resolve(memorySource(`folder/${fileName}`, new TextEncoder().encode(text)));
    },
  };
}

export function tokenizerOf(
  tokenizer: Readonly<Record<string, unknown>>,
  settings?: unknown,
): Promise<Tokenizer> {
  return loadTokenizer(folder({ 'tokenizer.json': tokenizer, 'tokenizer_config.json': settings }));
}

/** GPT-2's own vocabulary, which its merges tell whole: bytes that can be shown, the others, merges, the end of text. */
export async function gpt2(): Promise<{ merges: string[]; vocab: Record<string, number> }> {
  const text = new TextDecoder().decode(await readFixture('test/golden/tokenizers/gpt2-merges.txt'));
  const merges = text.trimEnd().split('\n').slice(1);
  const shown: number[] = [];
  const others: number[] = [];
  for (let byte = 0; byte < 256; byte += 1)
    if ((byte > 32 && byte < 127) || (byte > 160 && byte !== 173)) shown.push(byte);
    else others.push(256 + others.length);
  const tokens = [
    ...[...shown, ...others].map((code) => String.fromCodePoint(code)),
    ...merges.map((merge) => merge.replace(' ', '')),
    '<|endoftext|>',
  ];
  return { merges, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])) };
}

/**
 * A byte-level BPE tokenizer with few merges, for tests of everything but the merges. Its tokens are the 256 bytes
 * (each has its own byte as id), then the merges.
 */
export function smallTokenizer(
  more: Readonly<Record<string, unknown>> = {},
  merges: readonly (readonly [string, string])[] = [],
): Record<string, unknown> {
  const vocab: Record<string, number> = {};
  let other = 256;
  for (let byte = 0; byte < 256; byte += 1)
    vocab[String.fromCodePoint((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : other++)] =
      byte;
  for (const [left, right] of merges) vocab[left + right] ??= Object.keys(vocab).length;
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: bytes,
    decoder: bytes,
    ...more,
    model: { type: 'BPE', vocab, merges, ...(more['model'] as object | undefined) },
  };
}
