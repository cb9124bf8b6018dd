import { fixed, grouped } from './quantities.ts';

/** A window of tokens to show. */
export interface TokensPage {
  /** The model's name. */
  readonly model: string;
  /** `real`, `shuffled`. */
  readonly sequence: string;
  /** Where the tokens come from, in words. */
  readonly source: string;
  readonly ids: ArrayLike<number>;
  /** The text of each token, [T]; null without a tokenizer: then the ids are shown. */
  readonly pieces: readonly string[] | null;
  /** max(logits) − logsumexp(logits) of each position, in nats. */
  readonly maxLogSoftmax: ArrayLike<number>;
}

/** Those of the scale under the title, in nats. */
const SCALE = [-6, -4, -2, -1, -0.5, -0.1, 0];

/**
 * A window as one self-contained HTML file. Every token is coloured by its largest log-softmax: how sure the model is of the
 * next token. A tooltip has the token's number, id and value. The file has no script, and is light or dark like the reader's
 * system.
 */
export function tokensPage({ model, sequence, source, ids, pieces, maxLogSoftmax }: TokensPage): string {
  const title = `${model}, ${sequence} text`;
  const unique = new Set(Array.from(ids)).size;
  const spans = Array.from(ids, (id, token) => {
    const piece = pieces?.[token];
    const value = maxLogSoftmax[token]!;
    const tooltip = [
      `token ${token}${piece === undefined ? '' : `, ${JSON.stringify(visible(piece))}`}`,
      `id ${id}`,
      `max log-softmax ${fixed(value, 3)}`,
      `probability ${fixed(Math.exp(value), 3)}`,
    ];
    const shown =
      piece === undefined ? `${id} ` : piece === '' ? '·' : visible(piece).replaceAll('\n', '⏎\n');
    return coloured(value, shown, tooltip.join('\n'));
  });
  const scale = SCALE.map((value) => coloured(value, ` ${fixed(value, value > -1 && value < 0 ? 1 : 0)} `));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>
${STYLE.replace('COLOUR', sequence === 'real' ? '#0072b2' : '#d55e00')}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(source)}: ${grouped(ids.length)} ${ids.length === 1 ? 'token' : 'tokens'}, ${grouped(unique)} unique. The colour of a token says how sure the model is of
the next one: the largest log-softmax after it, in nats.</p>
<p class="scale">${scale.join('')}</p>
<main>${spans.join('')}</main>
</body>
</html>
`;
}

/** @param value its log-softmax; the colour is as strong as the probability */
function coloured(value: number, text: string, tooltip?: string): string {
  const title = tooltip === undefined ? '' : ` title="${escaped(tooltip)}"`;
  return `<span style="--sure:${Math.exp(value).toFixed(3)}"${title}>${escaped(text)}</span>`;
}

/** Replaces characters that would act on a page or a terminal by visible signs; line breaks and tabs stay. */
export function visible(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(CONTROLS, (character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '␡' : `\\u{${code.toString(16)}}`;
  });
}

/** Controls but line feed and tab, marks that change the direction of text, and halves of characters. */
const CONTROLS =
  // eslint-disable-next-line no-control-regex
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '\n': '&#10;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"'\n]/g, (character) => ENTITIES[character]!);
}

const STYLE = `:root { color-scheme: light dark; --colour: COLOUR; --most: 65%; --paper: #fff; --ink: #1b1b1b; --faint: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --most: 80%; --paper: #16181c; --ink: #ececec; --faint: #a0a4aa; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; }
p { color: var(--faint); }
main, .scale { white-space: pre-wrap; overflow-wrap: anywhere; font: 0.95rem/1.9 ui-monospace, 'DejaVu Sans Mono', monospace; }
span { unicode-bidi: isolate; color: var(--ink); border-radius: 2px; padding: 0.15em 0; background: color-mix(in srgb, var(--colour) calc(var(--most) * var(--sure)), transparent); }
main span:hover { outline: 1px solid var(--faint); }
`;
