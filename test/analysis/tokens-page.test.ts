import { expect, it } from 'vitest';
import { tokensPage, visible } from '../../src/analysis/tokens-page.ts';

const page = (pieces: readonly string[] | null, values: readonly number[], sequence = 'real') =>
  tokensPage({
    model: '<b>model</b> & "co"',
    sequence,
    source: "Tokens 0 to 4 of </title>'s.txt",
    ids: values.map((_, index) => 40 + index),
    pieces,
    maxLogSoftmax: values,
  });

it('shows every token with its colour, number, id and value, and escapes all of them', () => {
  const pieces = [' <script>', 'a"b\'c', '&amp;', '\n', '', '\u001b[2J\u202e'];
  const html = page(pieces, [-0.5, 0, -10, -1, -2, -0.25]);
  expect(html).toContain('<title>&lt;b&gt;model&lt;/b&gt; &amp; &quot;co&quot;, real text</title>');
  expect(html).not.toMatch(/<script|<b>|<\/title>'s/);
  const main = /<main>(.*)<\/main>/s.exec(html)![1]!;
  const spans = [...main.matchAll(/<span style="--sure:([\d.]+)" title="([^"]*)">([^<]*)<\/span>/g)];
  expect(spans.map(([whole]) => whole).join('')).toBe(main);
  expect(spans.map(([, sure]) => sure)).toEqual(['0.607', '1.000', '0.000', '0.368', '0.135', '0.779']);
  expect(spans[0]!.slice(2)).toEqual([
    'token 0, &quot; &lt;script&gt;&quot;&#10;id 40&#10;max log-softmax −0.500&#10;probability 0.607',
    ' &lt;script&gt;',
  ]);
  expect(spans.map(([, , , text]) => text)).toEqual([
    ' &lt;script&gt;',
    'a&quot;b&#39;c',
    '&amp;amp;',
    '⏎&#10;',
    '·',
    '␛[2J\\u{202e}',
  ]);
});

it('is one file without a script, in the colour of its sequence, light and dark', () => {
  const html = page(['a'], [-1]);
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/<link|<script|<img|url\(|https?:/);
  expect(html).toContain('prefers-color-scheme: dark');
  expect(html).toContain('--colour: #0072b2');
  expect(page(['a'], [-1], 'shuffled')).toContain('--colour: #d55e00');
});

it('shows ids where there is no tokenizer', () => {
  expect(page(null, [-1, -2])).toMatch(
    /title="token 1&#10;id 41&#10;max log-softmax −2\.000&#10;probability 0\.135">41 <\/span>/,
  );
});

it('makes visible what would act on a terminal, and leaves text alone', () => {
  expect(visible('Ärger 你好 👍\n\ttab')).toBe('Ärger 你好 👍\n\ttab');
  expect(visible('a\r\nb\rc\u0000\u007f\u009b\ud800')).toBe('a\nb␍c␀␡\\u{9b}\\u{d800}');
});
