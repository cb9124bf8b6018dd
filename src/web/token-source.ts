import { defaultText } from '../analysis/bundled.ts';
import type { TextReport } from '../analysis/report.ts';
import { textWindow } from '../analysis/text.ts';
import { readTokenIds } from '../analysis/token-ids.ts';
import type { GivenTokens } from '../analysis/token-ids.ts';
import type { ModelConfig } from '../engine/config.ts';
import { FileError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import { loadTokenizer } from '../engine/tokenizer.ts';
import type { RunRequest, TextChoice } from './messages.ts';
import { pageAddress } from './page-address.ts';
import { pageSentence } from './page-words.ts';
import type { RunContext } from './run.ts';

/**
 * The ids to run, and what a report says of the text; null where ids were given.
 * @throws LaminarError if the text or the ids cannot be read or do not suit the model
 */
export async function readTokens(
  request: RunRequest,
  files: ModelFiles,
  config: ModelConfig,
  { signal, stage, onNotice: tell }: Pick<RunContext, 'signal' | 'stage' | 'onNotice'>,
): Promise<GivenTokens & { readonly text: TextReport | null }> {
  const { text: choice, tokens, start } = request;
  const onNotice = (message: string) => {
    tell(pageSentence(message));
  };
  if (choice.kind === 'ids') {
    const given = readTokenIds(choice.json, config, 'the token ids', onNotice);
    stage('tokens')(given.real.length, given.real.length);
    return { ...given, text: null };
  }
  const text = await readText(choice, signal);
  signal.throwIfAborted();
  const tokenizer = await loadTokenizer(files);
  const onProgress = stage('tokens');
  return textWindow(tokenizer, text, config.context, { tokens, start, signal, onProgress, onNotice });
}

async function readText(
  choice: Exclude<TextChoice, { kind: 'ids' }>,
  signal: AbortSignal,
): Promise<{ source: string; bytes: Uint8Array<ArrayBuffer> }> {
  switch (choice.kind) {
    case 'bundled':
      return {
        source: defaultText,
        bytes: await fetchWhole(new URL(defaultText, pageAddress()).href, signal),
      };
    case 'pasted':
      return { source: 'the pasted text', bytes: new TextEncoder().encode(choice.text) };
    case 'file':
      return { source: choice.file.name, bytes: await readFile(choice.file) };
    case 'url':
      return { source: choice.url, bytes: await fetchWhole(choice.url, signal) };
  }
}

async function readFile(file: File): Promise<Uint8Array<ArrayBuffer>> {
  const content = await file.arrayBuffer().catch((cause: unknown) => {
    throw new FileError(
      `${file.name}: cannot be read (moved, changed or a folder); choose a text file again`,
      {
        cause,
      },
    );
  });
  return new Uint8Array(content);
}

async function fetchWhole(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const unreachable = (cause: unknown): never => {
    signal.throwIfAborted();
    throw new FileError(
      `${url}: cannot be fetched (no network, no https, or its server allows no other pages); paste the text instead`,
      { cause },
    );
  };
  const response = await fetch(url, { signal, credentials: 'omit' }).catch(unreachable);
  if (!response.ok) throw new FileError(`${url}: the server answered ${response.status}; check the address`);
  return new Uint8Array(await response.arrayBuffer().catch(unreachable));
}
