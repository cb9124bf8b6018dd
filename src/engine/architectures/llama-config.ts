import type { ConfigFields, ModelConfig } from '../config.ts';
import { readActivation } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { RotaryFrequencies, RotaryScaling } from '../rotary.ts';

/** How the configurations of the Llama family differ: in transformers' defaults, and in the keys that they have. */
export interface LlamaKind {
  readonly modelType: string;
  /** What `num_key_value_heads` is where it is left out; null: as many as there are heads. */
  readonly keyValueHeads: number | null;
  /** What `head_dim` is where it is left out; null: the heads share the width. */
  readonly headWidth: number | null;
  /**
   * Which projections of the attention have a bias. `attention_bias` may decide it for queries, keys, values and the
   * output; or queries, keys and values always have one; or none has.
   */
  readonly attentionBias: 'attention_bias' | 'query-key-value' | 'none';
  /** Whether `mlp_bias` is read. */
  readonly hasMlpBias: boolean;
  /** Queries and keys go through a norm of their own before they turn. */
  readonly hasHeadNorms: boolean;
  /** Which layers see at most `sliding_window` tokens: none, all, or those that the configuration chooses. */
  readonly slidingLayers: 'none' | 'all' | 'chosen';
}

export interface LlamaConfig extends ModelConfig {
  readonly rotary: RotaryFrequencies;
  /** Whether queries, keys and values have a bias. */
  readonly queryKeyValueBias: boolean;
  readonly projectionBias: boolean;
  readonly mlpBias: boolean;
  readonly headNorms: boolean;
}

/** What `sliding_window` is where it is left out. */
const DEFAULT_WINDOW = 4096;
/** What `max_window_layers` is where it is left out. */
const DEFAULT_WINDOW_LAYERS = 28;

/** As transformers' LlamaConfig, MistralConfig, Qwen2Config and Qwen3Config, with their defaults for what is not a size. */
export function readLlamaConfig(fields: ConfigFields, kind: LlamaKind): LlamaConfig {
  const layers = fields.count(['num_hidden_layers']);
  const width = fields.count(['hidden_size']);
  const context = fields.count(['max_position_embeddings']);
  const heads = readGroupedHeads(fields, width, kind);
  const attentionBias = kind.attentionBias === 'attention_bias' && fields.flag('attention_bias', false);
  const slidingWindow = readSlidingWindow(fields, layers, kind);
  return {
    architecture: kind.modelType,
    layers,
    width,
    ...heads,
    innerWidth: fields.count(['intermediate_size']),
    vocabulary: fields.count(['vocab_size']),
    context,
    ...(slidingWindow !== undefined && { slidingWindow }),
    activation: readActivation(fields, ['hidden_act'], 'silu'),
    normEpsilon: fields.nonNegative(['rms_norm_eps'], 1e-6),
    tiedEmbeddings: fields.flag('tie_word_embeddings', false),
    rotary: readRotary(fields, heads.headWidth, context),
    queryKeyValueBias: attentionBias || kind.attentionBias === 'query-key-value',
    projectionBias: attentionBias,
    mlpBias: kind.hasMlpBias && fields.flag('mlp_bias', false),
    headNorms: kind.hasHeadNorms,
  };
}

/** Heads of queries, in groups that share a head of keys and values. Their width may differ from width / heads. */
function readGroupedHeads(
  fields: ConfigFields,
  width: number,
  kind: LlamaKind,
): { heads: number; keyValueHeads: number; headWidth: number } {
  const { name } = fields;
  const heads = fields.count(['num_attention_heads']);
  const key = 'num_key_value_heads';
  const keyValueHeads = fields.count([key], fields.isNull(key) ? heads : (kind.keyValueHeads ?? heads));
  if (heads % keyValueHeads !== 0) {
    throw new ConfigError(
      `${name}: ${key} is ${keyValueHeads}, which does not divide the ${heads} heads of num_attention_heads; copy the config.json that was published with the model`,
      { code: 'config-contradiction', subject: { kind: 'key', name: key } },
    );
  }
  const share = width / heads;
  const headWidth = fields.count(['head_dim'], kind.headWidth ?? Math.max(1, Math.trunc(share)));
  if (headWidth !== share && fields.raw('head_dim') === undefined && kind.headWidth === null) {
    throw new ConfigError(
      `${name}: num_attention_heads is ${heads}, which does not divide the width ${width}, and there is no head_dim; copy the config.json that was published with the model`,
      { code: 'config-contradiction', subject: { kind: 'key', name: 'num_attention_heads' } },
    );
  }
  if (headWidth % 2 !== 0) {
    throw new ConfigError(
      `${name}: heads have ${headWidth} dimensions; rotary embedding turns pairs of them, so it must be an even number`,
      { code: 'config-unsupported', subject: { kind: 'key', name: 'head_dim' } },
    );
  }
  return { heads, keyValueHeads, headWidth };
}

/** The smallest number of tokens that a layer looks back, or undefined if every layer sees all tokens before. */
function readSlidingWindow(
  fields: ConfigFields,
  layers: number,
  { slidingLayers }: LlamaKind,
): number | undefined {
  if (slidingLayers === 'none' || fields.isNull('sliding_window')) return undefined;
  if (slidingLayers === 'chosen' && !(fields.flag('use_sliding_window', false) && slides(fields, layers))) {
    return undefined;
  }
  return fields.count(['sliding_window'], DEFAULT_WINDOW);
}

/** Whether any layer slides: as `layer_types` says, else those from `max_window_layers` on. */
function slides(fields: ConfigFields, layers: number): boolean {
  const types = fields.raw('layer_types');
  if (Array.isArray(types)) return types.includes('sliding_attention');
  return layers > fields.nonNegative(['max_window_layers'], DEFAULT_WINDOW_LAYERS);
}

/**
 * Since transformers 5, rotary settings are in `rope_parameters`. A `rope_scaling` that is not empty replaces all of it.
 * `rope_theta` may also stand outside them.
 */
function readRotary(fields: ConfigFields, headWidth: number, context: number): RotaryFrequencies {
  const older = fields.nested('rope_scaling');
  const group = older && !older.isEmpty ? older : fields.nested('rope_parameters');
  const base = group?.positiveOrUndefined(['rope_theta']) ?? fields.positive(['rope_theta'], 10_000);
  return { dimensions: headWidth, base, scaling: group && readScaling(fields, group, context) };
}

function readScaling(fields: ConfigFields, group: ConfigFields, context: number): RotaryScaling | undefined {
  const type = group.text(['rope_type', 'type']) ?? 'default';
  if (type === 'default') {
    const key = ['full_attention', 'sliding_attention'].find((layers) => group.raw(layers) !== undefined);
    if (key === undefined) return undefined;
    throw new ConfigError(
      `${group.name}: ${key} has settings of its own; Laminar computes one for all layers`,
      { code: 'config-unsupported', subject: { kind: 'key', name: key } },
    );
  }
  if (type !== 'linear' && type !== 'llama3') {
    throw new ConfigError(
      `${fields.name}: rotary embedding of type ${type} is not supported; Laminar computes default, linear and llama3`,
      { code: 'config-unsupported', subject: { kind: 'key', name: 'rope_type' } },
    );
  }
  const needed = (key: string): number => {
    const value = group.positiveOrUndefined([key]);
    if (value !== undefined) return value;
    throw new ConfigError(
      `${group.name}: ${key} is missing, and type ${type} needs it; copy the config.json that was published with the model`,
      { code: 'config-key-missing', subject: { kind: 'key', name: key } },
    );
  };
  const fraction = group.nonNegativeOrUndefined(['partial_rotary_factor']) ?? 1;
  if (fraction !== 1) {
    throw new ConfigError(
      `${group.name}: partial_rotary_factor is ${fraction}; Laminar turns whole heads where type is ${type}`,
      { code: 'config-unsupported', subject: { kind: 'key', name: 'partial_rotary_factor' } },
    );
  }
  const factor = needed('factor');
  if (type === 'linear') return { type, factor };
  const [lowFactor, highFactor] = [needed('low_freq_factor'), needed('high_freq_factor')];
  if (highFactor <= lowFactor) {
    throw new ConfigError(
      `${group.name}: high_freq_factor is ${highFactor}; it must be above low_freq_factor, ${lowFactor}`,
      { code: 'config-key-invalid', subject: { kind: 'key', name: 'high_freq_factor' } },
    );
  }
  const key = 'original_max_position_embeddings';
  const trained = group.count([key], fields.count([key], context));
  return { type, factor, lowFactor, highFactor, context: trained };
}
