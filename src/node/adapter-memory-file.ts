import { jsonText } from '../analysis/json.ts';
import type { Verdict } from '../engine/gpu/verdicts.ts';
import { parseStrictObject } from '../engine/strict-json.ts';

/** A verdict of a self-test, with what it was found on besides the adapter. */
export interface KeptVerdict extends Verdict {
  /** The version of the package that holds Dawn. */
  readonly webgpu: string;
  /** The day, such as 2026-11-26. */
  readonly date: string;
}

/** Options of decisions about kernels that were chosen for an adapter. */
export interface KeptChoices {
  readonly webgpu: string;
  readonly adapter: string;
  readonly laminar: string;
  readonly date: string;
  /** By the decision's name. */
  readonly options: Readonly<Record<string, string>>;
}

export interface MemoryContent {
  readonly verdicts: readonly KeptVerdict[];
  readonly choices: readonly KeptChoices[];
}

/** A larger file is not ours. */
export const MAX_FILE_BYTES = 2 ** 20;
const FORMAT = 1;
/** The newest are kept. */
const MAX_ENTRIES = 200;
const MAX_TEXT = 1000;
const DIGEST = /^[0-9a-f]{64}$/;
const DATE = /^\d{4}-\d\d-\d\d$/;

export function memoryText({ verdicts, choices }: MemoryContent): string {
  const short = verdicts.map(({ fault, ...rest }) => ({ ...rest, fault: fault?.slice(0, MAX_TEXT) ?? null }));
  return jsonText(
    { format: FORMAT, verdicts: short.slice(-MAX_ENTRIES), choices: choices.slice(-MAX_ENTRIES) },
    'the memory of adapters',
  );
}

/** What a file holds; undefined if any of it is not as `memoryText` writes it. */
export function parseMemory(text: string): MemoryContent | undefined {
  try {
    const content = parseStrictObject(text);
    checkKeys(content, ['format', 'verdicts', 'choices']);
    if (content.get('format') !== FORMAT) return undefined;
    return {
      verdicts: listOf(content.get('verdicts')).map(verdictFrom),
      choices: listOf(content.get('choices')).map(choicesFrom),
    };
  } catch {
    return undefined;
  }
}

function verdictFrom(entry: Map<string, unknown>): KeptVerdict {
  checkKeys(entry, ['webgpu', 'adapter', 'check', 'kernels', 'fault', 'date']);
  const fault = entry.get('fault');
  return {
    webgpu: textOf(entry.get('webgpu')),
    adapter: textOf(entry.get('adapter')),
    check: textOf(entry.get('check')),
    kernels: textOf(entry.get('kernels'), DIGEST),
    fault: fault === null ? null : textOf(fault),
    date: textOf(entry.get('date'), DATE),
  };
}

function choicesFrom(entry: Map<string, unknown>): KeptChoices {
  checkKeys(entry, ['webgpu', 'adapter', 'laminar', 'date', 'options']);
  const options = entry.get('options');
  if (!(options instanceof Map)) throw new TypeError('options are not an object');
  const pairs = [...(options as Map<string, unknown>)].map(([name, option]) => [name, textOf(option)]);
  return {
    webgpu: textOf(entry.get('webgpu')),
    adapter: textOf(entry.get('adapter')),
    laminar: textOf(entry.get('laminar')),
    date: textOf(entry.get('date'), DATE),
    options: Object.fromEntries(pairs) as Record<string, string>,
  };
}

function checkKeys(entry: Map<string, unknown>, expected: readonly string[]): void {
  if (entry.size !== expected.length || !expected.every((key) => entry.has(key))) {
    throw new TypeError(`not the keys ${expected.join(', ')}`);
  }
}

function listOf(value: unknown): Map<string, unknown>[] {
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) throw new TypeError('not a list');
  if (!value.every((entry) => entry instanceof Map)) throw new TypeError('not a list of objects');
  return value as Map<string, unknown>[];
}

function textOf(value: unknown, pattern = /^/): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT || !pattern.test(value)) {
    throw new TypeError('not such a text');
  }
  return value;
}
