import { ConfigError } from './errors.ts';
import { isJsonObject } from './files.ts';

/** The activations of the two architectures' configurations that the engine computes, by transformers' names. */
export const activations = ['gelu_new', 'gelu', 'relu', 'gelu_fast', 'gelu_pytorch_tanh'] as const;
export type Activation = (typeof activations)[number];

interface CommonConfig {
  readonly layers: number;
  /** Of the residual stream. */
  readonly width: number;
  readonly heads: number;
  /** width / heads. */
  readonly headWidth: number;
  /** Of the hidden layer of a block's MLP. */
  readonly innerWidth: number;
  /** Rows of the embedding, padding included. */
  readonly vocabulary: number;
  /** The most tokens of one sequence. */
  readonly context: number;
  readonly activation: Activation;
  readonly normEpsilon: number;
  readonly tiedEmbeddings: boolean;
}

export interface Gpt2Config extends CommonConfig {
  readonly architecture: 'gpt2';
  /** Divide the scores by the square root of the head's width. */
  readonly scaleAttention: boolean;
  /** Divide the scores by the layer's number, from 1. */
  readonly scaleAttentionByInverseLayer: boolean;
}

export interface GptNeoxConfig extends CommonConfig {
  readonly architecture: 'gpt_neox';
  /** The first dimensions of each head that are rotated; even. */
  readonly rotaryDimensions: number;
  readonly rotaryBase: number;
  readonly parallelResidual: boolean;
  readonly attentionBias: boolean;
}

export type ModelConfig = Gpt2Config | GptNeoxConfig;

/**
 * Reads a config.json as transformers' GPT2Config and GPTNeoXConfig do, with their defaults for what is not a size.
 *
 * @param json the parsed file
 * @param name of the file, for messages
 * @throws ConfigError naming the file and the key.
 */
export function parseConfig(json: unknown, name: string): ModelConfig {
  if (!isJsonObject(json)) throw new ConfigError(`${name}: is no JSON object; is it a model's config.json?`);
  const fields = new Fields(json, name);
  const architecture = fields.text(['model_type']);
  switch (architecture) {
    case 'gpt2':
      return parseGpt2(fields);
    case 'gpt_neox':
      return parseGptNeox(fields);
    case undefined:
      throw new ConfigError(`${name}: has no model_type; Laminar runs gpt2 and gpt_neox`);
    default:
      throw new ConfigError(
        `${name}: model_type ${architecture} is not known; Laminar runs gpt2 and gpt_neox`,
      );
  }
}

function parseGpt2(fields: Fields): Gpt2Config {
  fields.refuse('add_cross_attention', 'only decoders without cross-attention are supported');
  const width = fields.count(['n_embd', 'hidden_size']);
  return {
    architecture: 'gpt2',
    layers: fields.count(['n_layer', 'num_hidden_layers']),
    width,
    ...parseHeads(fields, ['n_head', 'num_attention_heads'], width),
    innerWidth: fields.count(['n_inner'], 4 * width),
    vocabulary: fields.count(['vocab_size']),
    context: fields.count(['n_positions', 'max_position_embeddings', 'n_ctx']),
    activation: parseActivation(fields, ['activation_function'], 'gelu_new'),
    normEpsilon: fields.positive(['layer_norm_epsilon'], 1e-5),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
    scaleAttention: fields.flag('scale_attn_weights', true),
    scaleAttentionByInverseLayer: fields.flag('scale_attn_by_inverse_layer_idx', false),
  };
}

function parseGptNeox(fields: Fields): GptNeoxConfig {
  const width = fields.count(['hidden_size']);
  const { heads, headWidth } = parseHeads(fields, ['num_attention_heads'], width);
  return {
    architecture: 'gpt_neox',
    layers: fields.count(['num_hidden_layers']),
    width,
    heads,
    headWidth,
    innerWidth: fields.count(['intermediate_size']),
    vocabulary: fields.count(['vocab_size']),
    context: fields.count(['max_position_embeddings']),
    activation: parseActivation(fields, ['hidden_act'], 'gelu'),
    normEpsilon: fields.positive(['layer_norm_eps'], 1e-5),
    tiedEmbeddings: fields.flag('tie_word_embeddings', false),
    ...parseRotary(fields, headWidth),
    parallelResidual: fields.flag('use_parallel_residual', true),
    attentionBias: fields.flag('attention_bias', true),
  };
}

function parseHeads(
  fields: Fields,
  keys: readonly string[],
  width: number,
): { heads: number; headWidth: number } {
  const heads = fields.count(keys);
  if (width % heads !== 0) {
    throw new ConfigError(`${fields.name}: ${keys[0]} is ${heads}, which does not divide the width ${width}`);
  }
  return { heads, headWidth: width / heads };
}

function parseActivation(fields: Fields, keys: readonly string[], fallback: Activation): Activation {
  const text = fields.text(keys) ?? fallback;
  const known = activations.find((activation) => activation === text);
  if (!known) {
    throw new ConfigError(
      `${fields.name}: ${keys[0]} ${text} is not supported; Laminar computes ${activations.join(', ')}`,
    );
  }
  return known;
}

/** Rotary settings stand in `rope_parameters` since transformers 5, and before that beside the rest. */
function parseRotary(fields: Fields, headWidth: number): { rotaryDimensions: number; rotaryBase: number } {
  const newer = fields.nested('rope_parameters');
  const scaling = fields.nested('rope_scaling');
  for (const group of [newer, scaling]) {
    const type = group?.text(['rope_type', 'type']) ?? 'default';
    if (type !== 'default') {
      throw new ConfigError(
        `${fields.name}: rotary embedding of type ${type} is not supported; Laminar computes default`,
      );
    }
  }
  const fraction =
    newer?.positiveOrUndefined(['partial_rotary_factor']) ??
    fields.positive(['rotary_pct', 'partial_rotary_factor'], 0.25);
  const rotaryBase =
    newer?.positiveOrUndefined(['rope_theta']) ?? fields.positive(['rotary_emb_base', 'rope_theta'], 10_000);
  const rotaryDimensions = Math.trunc(headWidth * fraction);
  if (fraction > 1 || rotaryDimensions === 0 || rotaryDimensions % 2 !== 0) {
    throw new ConfigError(
      `${fields.name}: rotary_pct ${fraction} of a head of ${headWidth} rotates ${rotaryDimensions} dimensions; ` +
        `it must be an even number from 2 to ${headWidth}`,
    );
  }
  return { rotaryDimensions, rotaryBase };
}

/** Larger sizes than this would overflow the kernels' 32-bit indices. */
const MAXIMUM_COUNT = 2 ** 31 - 1;

/** Reads values out of a JSON object by the first of several names that is there; null counts as absent. */
class Fields {
  constructor(
    private readonly values: Record<string, unknown>,
    readonly name: string,
  ) {}

  /** A positive integer. @throws ConfigError if it is absent and has no fallback, or is anything else. */
  count(keys: readonly string[], fallback?: number): number {
    const [key, value] = this.#find(keys);
    if (value === undefined) {
      if (fallback !== undefined) return fallback;
      throw new ConfigError(
        `${this.name}: ${key} is missing; copy the config.json that was published with the model`,
      );
    }
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAXIMUM_COUNT) {
      throw this.#wrong(key, value, 'a positive integer');
    }
    return value as number;
  }

  /** A finite number above zero. */
  positive(keys: readonly string[], fallback: number): number {
    return this.positiveOrUndefined(keys) ?? fallback;
  }

  positiveOrUndefined(keys: readonly string[]): number | undefined {
    const [key, value] = this.#find(keys);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw this.#wrong(key, value, 'a number above 0');
    }
    return value;
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

  nested(key: string): Fields | undefined {
    const [, value] = this.#find([key]);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.#wrong(key, value, 'an object');
    return new Fields(value, `${this.name}: ${key}`);
  }

  /** @throws ConfigError if the flag is set. */
  refuse(key: string, why: string): void {
    if (this.flag(key, false)) throw new ConfigError(`${this.name}: ${key} is true; ${why}`);
  }

  #find(keys: readonly string[]): [key: string, value: unknown] {
    for (const key of keys) {
      const value = Object.hasOwn(this.values, key) ? this.values[key] : undefined;
      if (value !== undefined && value !== null) return [key, value];
    }
    return [keys[0]!, undefined];
  }

  #wrong(key: string, value: unknown, expected: string): ConfigError {
    return new ConfigError(`${this.name}: ${key} is ${JSON.stringify(value)}; it must be ${expected}`);
  }
}
