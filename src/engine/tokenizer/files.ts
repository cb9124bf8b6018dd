import { budgets } from '../budgets.ts';
import { FileError, FormatError } from '../errors.ts';
import { isJsonObject, readJson, readText } from '../files.ts';
import type { ModelFiles } from '../files.ts';
import { readVocabulary } from './json.ts';

/** A tokenizer in one file, as the Rust library writes it. */
const WHOLE = 'tokenizer.json';
/** Choices of transformers that go with either form. */
const SETTINGS = 'tokenizer_config.json';
/** GPT-2's own form. */
const VOCABULARY = 'vocab.json';
const MERGES = 'merges.txt';
const ADDED = 'added_tokens.json';
const SPECIAL = 'special_tokens_map.json';

/** The files that are read if there is no tokenizer.json. */
const OLD_FORM = [VOCABULARY, MERGES, ADDED, SPECIAL] as const;

/** Every file that a tokenizer may be read from. */
export const tokenizerFiles: readonly string[] = [WHOLE, SETTINGS, ...OLD_FORM];

/** Those of a model's files that its tokenizer is read from: the old form only where tokenizer.json is absent. */
export function chooseTokenizerFiles(has: (name: string) => boolean): string[] {
  return [WHOLE, SETTINGS, ...(has(WHOLE) ? [] : OLD_FORM)].filter(has);
}

/** Whether a folder holds a tokenizer, judged by names. */
export function holdsTokenizer(has: (name: string) => boolean): boolean {
  return has(WHOLE) || (has(VOCABULARY) && has(MERGES));
}

/** SentencePiece's and tiktoken's files, by the names that published models give them. */
const otherFormats = [
  ['tokenizer.model', 'SentencePiece or tiktoken'],
  ['spiece.model', 'SentencePiece'],
  ['sentencepiece.bpe.model', 'SentencePiece'],
  ['spm.model', 'SentencePiece'],
  ['tiktoken.model', 'tiktoken'],
  ['tokenizer.tiktoken', 'tiktoken'],
  ['qwen.tiktoken', 'tiktoken'],
  ['cl100k_base.tiktoken', 'tiktoken'],
  ['o200k_base.tiktoken', 'tiktoken'],
] as const;

const CONVERT =
  'convert it in Python (transformers.AutoTokenizer.from_pretrained(MODEL, use_fast=True).save_pretrained(FOLDER) writes tokenizer.json), or give token ids instead of a text';

/** What a tokenizer is made of, in the form of tokenizer.json. */
export interface TokenizerDescription {
  /** What errors call it: the file that it came from. */
  readonly where: string;
  readonly tokenizer: Readonly<Record<string, unknown>>;
}

/**
 * Reads tokenizer.json, or vocab.json with merges.txt, and what tokenizer_config.json changes in it.
 * @throws FileError if the model has neither, saying what to do with what it has; FormatError if a file is broken
 */
export async function readDescription(files: ModelFiles): Promise<TokenizerDescription> {
  const settings = (await readObject(files, SETTINGS)) ?? {};
  const whole = await readObject(files, WHOLE);
  if (whole) return { where: `${files.name}/${WHOLE}`, tokenizer: withSettings(whole, settings) };
  const vocabulary = await readObject(files, VOCABULARY);
  const merges = await readText(files, MERGES);
  if (vocabulary && merges !== undefined) {
    const [added, special] = [await readObject(files, ADDED), await readObject(files, SPECIAL)];
    const where = `${files.name}/${VOCABULARY}`;
    const tokenizer = fromOldForm(where, { vocabulary, merges, added, special, settings });
    return { where, tokenizer: withSettings(tokenizer, settings) };
  }
  throw FileError.at(
    files.name,
    `${await whatIsMissing(files, vocabulary !== undefined, merges !== undefined)}`,
  );
}

async function readObject(files: ModelFiles, name: string): Promise<Record<string, unknown> | undefined> {
  const json = await readJson(files, name);
  if (json === undefined || isJsonObject(json)) return json;
  throw new FormatError(`${files.name}/${name}: is not a JSON object; download the file again`);
}

async function whatIsMissing(files: ModelFiles, hasVocabulary: boolean, hasMerges: boolean): Promise<string> {
  if (hasVocabulary)
    return `has ${VOCABULARY} but neither ${MERGES} nor ${WHOLE}; add one of them, or give token ids instead of a text`;
  if (hasMerges)
    return `has ${MERGES} but neither ${VOCABULARY} nor ${WHOLE}; add one of them, or give token ids instead of a text`;
  for (const [name, format] of otherFormats) {
    const source = await files.open(name).catch(() => undefined);
    if (!source) continue;
    await source.close();
    return `has its tokenizer only as ${name} (${format}), which Laminar does not read, and no ${WHOLE}; ${CONVERT}`;
  }
  return `has no ${WHOLE}, and no ${VOCABULARY} with ${MERGES}; add the model's own, or give token ids instead of a text; if it has another format (tokenizer.model, .tiktoken), ${CONVERT}`;
}

interface OldForm {
  readonly vocabulary: Readonly<Record<string, unknown>>;
  readonly merges: string;
  readonly added: Readonly<Record<string, unknown>> | undefined;
  readonly special: Readonly<Record<string, unknown>> | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What transformers makes of GPT-2's files (convert_slow_tokenizer.py, GPT2Converter). */
function fromOldForm(
  where: string,
  { vocabulary, merges, added, special, settings }: OldForm,
): Record<string, unknown> {
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    added_tokens: oldAddedTokens(added, special, settings, where),
    normalizer: null,
    pre_tokenizer: bytes,
    decoder: bytes,
    model: { type: 'BPE', vocab: vocabulary, merges: mergeLines(merges, where) },
  };
}

/** The lines of merges.txt; the first may say which version it is. @throws FormatError if there are more than are read */
function mergeLines(text: string, where: string): string[] {
  let lines = 0;
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) lines += 1;
  if (lines > budgets.merges + 1)
    throw new FormatError(
      `${where}: ${MERGES} has ${lines} lines, and at most ${budgets.merges} merges are read`,
    );
  return text
    .split(/\r?\n/)
    .filter((line, index) => line !== '' && !(index === 0 && line.startsWith('#version')));
}

const SPECIAL_ROLES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
];
/** What GPT-2 has for its first three roles. */
const END_OF_TEXT = '<|endoftext|>';

/** The tokens of added_tokens.json in the order of their ids, then the special ones that no file has placed. */
function oldAddedTokens(
  added: OldForm['added'],
  special: OldForm['special'],
  settings: OldForm['settings'],
  where: string,
): unknown[] {
  const specials = new Map<string, unknown>();
  const note = (value: unknown) => {
    const content: unknown = isJsonObject(value) ? value['content'] : value;
    if (typeof content !== 'string') return;
    const flags = isJsonObject(value) ? value : {};
    specials.set(content, { normalized: false, ...flags, content, special: true });
  };
  for (const source of [{ ...settings, ...special }]) {
    for (const role of SPECIAL_ROLES) note(source[role]);
    const others = source['additional_special_tokens'];
    if (Array.isArray(others)) others.forEach(note);
  }
  if (specials.size === 0) note(END_OF_TEXT);
  const placed = [...readVocabulary(added ?? {}, `${where}: ${ADDED}`)].sort(([, a], [, b]) => a - b);
  const tokens: unknown[] = placed.map(([content]) => specials.get(content) ?? { content, special: false });
  for (const [content, token] of specials) if (added?.[content] === undefined) tokens.push(token);
  return tokens;
}

/**
 * What transformers adds to a tokenizer: tokens of added_tokens_decoder that it lacks, and add_prefix_space, if
 * tokenizer_config.json has it and the ByteLevel pre-tokenizer says otherwise.
 */
function withSettings(
  tokenizer: Readonly<Record<string, unknown>>,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const added: unknown[] = Array.isArray(tokenizer['added_tokens'])
    ? [...(tokenizer['added_tokens'] as unknown[])]
    : [];
  const contents = new Set(added.map((token) => (isJsonObject(token) ? token['content'] : undefined)));
  const more = isJsonObject(settings['added_tokens_decoder']) ? settings['added_tokens_decoder'] : {};
  for (const token of Object.values<unknown>(more))
    // whole numbers as keys come in their order
    if (isJsonObject(token) && !contents.has(token['content'])) added.push(token);
  const result: Record<string, unknown> = { ...tokenizer, added_tokens: added };
  const cutter = tokenizer['pre_tokenizer'];
  const addsSpace = settings['add_prefix_space'];
  if (typeof addsSpace === 'boolean' && isJsonObject(cutter) && cutter['type'] === 'ByteLevel')
    result['pre_tokenizer'] = { ...cutter, add_prefix_space: addsSpace };
  return result;
}
