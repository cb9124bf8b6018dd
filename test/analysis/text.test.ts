import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import { textWindow } from '../../src/analysis/text.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import { fixtureFiles } from '../support/fixture-files.ts';

const tokenizer = await loadTokenizer(fixtureFiles('weights/alice-gpt2'));
const alice = await readFixture('weights/text/alice.txt');

async function windowOf(text: string | Uint8Array<ArrayBuffer>, context: number, options = {}) {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const notices: string[] = [];
  const onNotice = (line: string) => notices.push(line);
  const result = await textWindow(tokenizer, { source: 'a.txt', bytes }, context, { ...options, onNotice });
  return { ...result, notices };
}

describe('textWindow', () => {
  it('takes the middle of a long text and shows its ends', async () => {
    const { real, text, notices } = await windowOf(alice, 256);
    const whole = tokenizer.encode(new TextDecoder().decode(alice));
    expect(text).toMatchObject({ source: 'a.txt', tokens: 57035, start: 28517, length: 256 });
    expect([...real]).toEqual(whole.slice(28517, 28517 + 256));
    const shown = tokenizer.decode(real);
    expect(text.preview).toEqual({ first: shown.slice(0, 80), last: shown.slice(-80) });
    expect(notices).toEqual([]);
  });

  it('takes a sentence whole, and says so', async () => {
    const sentence = 'The quick brown fox jumps over the lazy dog.';
    const { real, text, notices } = await windowOf(sentence, 256);
    expect([...real]).toEqual(tokenizer.encode(sentence));
    expect(text.preview).toEqual({ first: sentence, last: sentence });
    expect(notices).toEqual([
      `a.txt has ${real.length} tokens, fewer than the model's context of 256; all of it is taken`,
    ]);
    expect((await windowOf(sentence, 256, { tokens: 3 })).notices).toEqual([]);
  });

  it('takes other windows, each as a run that starts there would, and says where they overlap', async () => {
    const sentence = 'The quick brown fox jumps over the lazy dog, and the dog sleeps on.';
    const whole = tokenizer.encode(sentence);
    const { real, windows, text, notices } = await windowOf(sentence, 256, { tokens: 4, windows: 3 });
    expect(notices).toEqual([]);
    expect([text.start, text.length]).toEqual([Math.floor(whole.length / 2), 4]);
    expect(windows).toHaveLength(2);
    for (const { start, ids } of windows!) {
      expect(ids).toEqual((await windowOf(sentence, 256, { tokens: 4, start })).real);
      expect(ids).not.toEqual(real);
    }
    const close = await windowOf(sentence, 256, { tokens: whole.length - 2, windows: 3 });
    expect(close.notices.join()).toMatch(/too few for 3 separate windows of \d+; some of them overlap/);
  });

  it('counts characters of a preview, not halves of them', async () => {
    const { text } = await windowOf('🐇'.repeat(100), 1000);
    expect(text.preview).toEqual({ first: '🐇'.repeat(80), last: '🐇'.repeat(80) });
  });

  it('refuses a text without tokens, by name', async () => {
    await expect(windowOf('', 256)).rejects.toThrow(/^a\.txt holds no tokens/);
  });

  it('hears a signal', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(windowOf(alice, 256, { signal })).rejects.toThrow('stopped');
  });
});
