import { defaultText } from '../analysis/bundled.ts';
import type { TextReport } from '../analysis/report.ts';
import { textWindow } from '../analysis/text.ts';
import type { SourceText } from '../analysis/text.ts';
import { readTokenIds } from '../analysis/token-ids.ts';
import type { GivenTokens } from '../analysis/token-ids.ts';
import type { ModelConfig } from '../engine/config.ts';
import { budgets } from '../engine/budgets.ts';
import { FileError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import { loadTokenizer } from '../engine/tokenizer.ts';
import type { Tokenizer } from '../engine/tokenizer.ts';
import { readBounded } from './bounded-answer.ts';
import type { RunRequest, TextChoice } from './messages.ts';
import { pageAddress } from './page-address.ts';
import { pageSentence } from './page-words.ts';
import type { RunContext } from './run.ts';

export interface ReadTokens extends GivenTokens {
  readonly text: TextReport | null;
  /** undefined if ids were given. */
  readonly tokenizer: Tokenizer | undefined;
}

/**
 * The ids to run, and what a report says of the text; null if ids were given.
 * @throws LaminarError if the text or the ids cannot be read or do not suit the model
 */
export async function readTokens(
  request: RunRequest,
  files: ModelFiles,
  config: ModelConfig,
  { signal, stage, onNotice: tell }: Pick<RunContext, 'signal' | 'stage' | 'onNotice'>,
): Promise<ReadTokens> {
  const { text: choice, tokens, start, sampling } = request;
  const onNotice = (message: string) => {
    tell(pageSentence(message));
  };
  if (choice.kind === 'ids') {
    const given = readTokenIds(choice.json, config, 'the token ids', onNotice);
    stage('tokens')(given.real.length, given.real.length);
    return { ...given, text: null, tokenizer: undefined };
  }
  const text = await readText(choice, signal);
  signal.throwIfAborted();
  const tokenizer = await loadTokenizer(files, { signal });
  const onProgress = stage('tokens');
  const options = { tokens, start, windows: sampling?.windows, signal, onProgress, onNotice };
  return { ...(await textWindow(tokenizer, text, config.context, options)), tokenizer };
}

async function readText(
  choice: Exclude<TextChoice, { kind: 'ids' }>,
  signal: AbortSignal,
): Promise<SourceText> {
  switch (choice.kind) {
    case 'bundled':
      return {
        ...(await fetchWhole(new URL(defaultText, pageAddress()).href, signal)),
        source: defaultText,
      };
    case 'pasted':
      return { source: 'the pasted text', bytes: new TextEncoder().encode(choice.text) };
    case 'file':
      return { source: choice.file.name, bytes: await readFile(choice.file) };
    case 'url':
      return fetchWhole(choice.url, signal);
  }
}

async function readFile(file: File): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > budgets.text) throw tooLarge(file.name);
  const content = await file.arrayBuffer().catch((cause: unknown) => {
    throw FileError.at(file.name, 'cannot be read (moved, changed or a folder); choose a text file again', {
      cause,
    });
  });
  return new Uint8Array(content);
}

/** A text behind an address, and the encoding that its server declares. */
async function fetchWhole(address: string, signal: AbortSignal): Promise<SourceText> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  // A browser refuses them, and with them they would be shown.
  if (!url || url.username !== '' || url.password !== '')
    throw FileError.at(
      address.replace(/\/\/[^/]*@/, '//'),
      `is not an address without a password; download the text and choose the file`,
    );
  const unreachable = (cause: unknown): never => {
    signal.throwIfAborted();
    throw FileError.at(
      address,
      'cannot be fetched (no network, no https, or its server allows no other pages); paste the text instead',
      { cause },
    );
  };
  const response = await fetch(url, { signal, credentials: 'omit' }).catch(unreachable);
  if (!response.ok) throw FileError.at(address, `the server answered ${response.status}; check the address`);
  const bytes = await readBounded(response, budgets.text).catch(unreachable);
  if (!bytes) throw tooLarge(address);
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(response.headers.get('Content-Type') ?? '')?.[1];
  return { source: address, bytes, charset };
}

function tooLarge(name: string): FileError {
  return FileError.at(
    name,
    `is larger than ${budgets.text / 2 ** 20} MiB, the maximum size of a text; give a part of it`,
  );
}
