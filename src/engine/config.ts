import type { Activation } from './activations.ts';
import { activations, parametrised } from './activations.ts';
import { ConfigError } from './errors.ts';
import { isJsonObject } from './files.ts';

/** What every architecture's configuration says. What only one of them says is in its own file. */
export interface ModelConfig {
  /** `model_type`: gpt2, llama. */
  readonly architecture: string;
  readonly layers: number;
  /** The width of the residual stream. */
  readonly width: number;
  readonly heads: number;
  /** Heads that have keys and values of their own. */
  readonly keyValueHeads: number;
  readonly headWidth: number;
  /** The width of the hidden layer of a block's MLP. */
  readonly innerWidth: number;
  /** Rows of the embedding, padding included. */
  readonly vocabulary: number;
  /** The maximum number of tokens of one sequence. */
  readonly context: number;
  /** How many tokens, including itself, a token sees in layers with a sliding window. */
  readonly slidingWindow?: number;
  readonly activation: Activation;
  readonly normEpsilon: number;
  /** The head is the token embedding, unless the file holds another. */
  readonly tiedEmbeddings: boolean;
}

/** Heads that share the width evenly, each with keys and values of its own. @throws ConfigError */
export function readHeads(
  fields: ConfigFields,
  keys: readonly string[],
  width: number,
): { heads: number; keyValueHeads: number; headWidth: number } {
  const heads = fields.count(keys);
  if (width % heads !== 0) {
    throw new ConfigError(
      `${fields.name}: ${keys[0]} is ${heads}, which does not divide the width ${width}`,
      { code: 'config-contradiction', subject: { kind: 'key', name: keys[0]! } },
    );
  }
  const headWidth = width / heads;
  const stated = fields.count(['head_dim'], headWidth);
  if (stated !== headWidth) {
    throw new ConfigError(
      `${fields.name}: head_dim is ${stated}, and this architecture's is ${width} / ${heads} = ${headWidth}; remove it or correct it`,
      { code: 'config-unsupported', subject: { kind: 'key', name: 'head_dim' } },
    );
  }
  return { heads, keyValueHeads: heads, headWidth };
}

/** @throws ConfigError naming the activation, if the engine does not compute it. */
export function readActivation(
  fields: ConfigFields,
  keys: readonly string[],
  fallback: Activation,
): Activation {
  const text = fields.text(keys) ?? fallback;
  const known = activations.find((activation) => activation === text);
  if (parametrised.includes(text)) {
    throw new ConfigError(
      `${fields.name}: ${keys[0]} ${text} is not supported: it has weights of its own; Laminar computes ${activations.join(', ')}`,
      { code: 'config-unsupported', subject: { kind: 'key', name: keys[0]! } },
    );
  }
  if (!known) {
    throw new ConfigError(
      `${fields.name}: ${keys[0]} ${text} is not supported; Laminar computes ${activations.join(', ')}`,
      { code: 'config-unsupported', subject: { kind: 'key', name: keys[0]! } },
    );
  }
  return known;
}

/** Larger sizes than this would overflow the kernels' 32-bit indices. */
const MAX_COUNT = 2 ** 31 - 1;

/** Reads values out of a JSON object by the first of several names that is there; null counts as absent. */
export class ConfigFields {
  constructor(
    private readonly values: Record<string, unknown>,
    /** The file's name, for messages. */
    readonly name: string,
  ) {}

  get isEmpty(): boolean {
    return Object.keys(this.values).length === 0;
  }

  /** A positive integer. @throws ConfigError if it is absent and has no fallback, or is anything else. */
  count(keys: readonly string[], fallback?: number): number {
    const [key, value] = this.#find(keys);
    if (value === undefined) {
      if (fallback !== undefined) return fallback;
      throw new ConfigError(
        `${this.name}: ${key} is missing; copy the config.json that was published with the model`,
        { code: 'config-key-missing', subject: { kind: 'key', name: key } },
      );
    }
    if (!Number.isInteger(value) || (value as number) < 1) {
      throw this.#wrong(key, value, 'a positive integer');
    }
    if ((value as number) > MAX_COUNT) throw this.#wrong(key, value, `at most ${MAX_COUNT}`);
    return value as number;
  }

  /** A finite number above zero. */
  positive(keys: readonly string[], fallback: number): number {
    return this.positiveOrUndefined(keys) ?? fallback;
  }

  positiveOrUndefined(keys: readonly string[]): number | undefined {
    return this.#number(keys, (value) => value > 0, 'a number above 0');
  }

  /** A finite number, zero or more. */
  nonNegative(keys: readonly string[], fallback: number): number {
    return this.nonNegativeOrUndefined(keys) ?? fallback;
  }

  nonNegativeOrUndefined(keys: readonly string[]): number | undefined {
    return this.#number(keys, (value) => value >= 0, 'a number, 0 or more');
  }

  flag(key: string, fallback: boolean): boolean {
    const [, value] = this.#find([key]);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw this.#wrong(key, value, 'true or false');
    return value;
  }

  text(keys: readonly string[]): string | undefined {
    const [key, value] = this.#find(keys);
    if (value !== undefined && typeof value !== 'string') throw this.#wrong(key, value, 'a string');
    return value;
  }

  nested(key: string): ConfigFields | undefined {
    const [, value] = this.#find([key]);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.#wrong(key, value, 'an object');
    return new ConfigFields(value, `${this.name}: ${key}`);
  }

  /** Whether a key has the value null, which may not mean the same as a missing key. */
  isNull(key: string): boolean {
    return Object.hasOwn(this.values, key) && this.values[key] === null;
  }

  /** The value as it stands, undefined if it is absent. */
  raw(key: string): unknown {
    return this.#find([key])[1];
  }

  #number(
    keys: readonly string[],
    isMeant: (value: number) => boolean,
    expected: string,
  ): number | undefined {
    const [key, value] = this.#find(keys);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || !isMeant(value)) {
      throw this.#wrong(key, value, expected);
    }
    return value;
  }

  #find(keys: readonly string[]): [key: string, value: unknown] {
    for (const key of keys) {
      const value = Object.hasOwn(this.values, key) ? this.values[key] : undefined;
      if (value !== undefined && value !== null) return [key, value];
    }
    return [keys[0]!, undefined];
  }

  #wrong(key: string, value: unknown, expected: string): ConfigError {
    const shown = typeof value === 'number' ? String(value) : JSON.stringify(value);
    return new ConfigError(`${this.name}: ${key} is ${shown}; it must be ${expected}`, {
      code: 'config-key-invalid',
      subject: { kind: 'key', name: key },
    });
  }
}
