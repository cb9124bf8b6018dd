import type { ConfigFields, ModelConfig } from '../config.ts';
import { readActivation, readHeads } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { Architecture, BlockRecord, Family } from './architecture.ts';
import { headSlices } from './steps.ts';
import type { Shaped, Steps } from './steps.ts';

type GptNeoxWeight =
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Weight`
  | `${'attentionNorm' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Bias`;
type AttentionBias = 'queryKeyValueBias' | 'projectionBias';

interface GptNeoxConfig extends ModelConfig {
  /** r: the first dimensions of each head that are rotated, rounded up to an even number of them; 0 for none. */
  readonly rotaryDimensions: number;
  readonly rotaryBase: number;
  readonly parallelResidual: boolean;
  readonly attentionBias: boolean;
}

/**
 * GPT-NeoX (Black et al. 2022), as Pythia: rotary positions on the first dimensions of each head, attention and MLP
 * both read the block's input (parallel residual) or follow each other. Its matrices are Linear's: [out, in].
 */
export const gptNeox: Family = {
  modelType: 'gpt_neox',
  classPrefix: 'GPTNeoX',
  describe: (fields) => describe(readConfig(fields)),
};

/** As transformers' GPTNeoXConfig, with its defaults for what is not a size. */
function readConfig(fields: ConfigFields): GptNeoxConfig {
  const width = fields.count(['hidden_size']);
  const heads = readHeads(fields, ['num_attention_heads'], width);
  return {
    architecture: gptNeox.modelType,
    layers: fields.count(['num_hidden_layers']),
    width,
    ...heads,
    innerWidth: fields.count(['intermediate_size']),
    vocabulary: fields.count(['vocab_size']),
    context: fields.count(['max_position_embeddings']),
    activation: readActivation(fields, ['hidden_act'], 'gelu'),
    normEpsilon: fields.nonNegative(['layer_norm_eps'], 1e-5),
    tiedEmbeddings: fields.flag('tie_word_embeddings', false),
    ...readRotary(fields, heads.headWidth),
    parallelResidual: fields.flag('use_parallel_residual', true),
    attentionBias: fields.flag('attention_bias', true),
  };
}

/**
 * Since transformers 5, rotary settings are in `rope_parameters`. A `rope_scaling` that is not empty replaces all of it. What
 * neither says comes from `rotary_pct` and `rotary_emb_base`. A `rope_theta` or `partial_rotary_factor` outside them is not
 * read.
 */
function readRotary(
  fields: ConfigFields,
  headWidth: number,
): { rotaryDimensions: number; rotaryBase: number } {
  const scaling = fields.nested('rope_scaling');
  const group = scaling && !scaling.isEmpty ? scaling : fields.nested('rope_parameters');
  const type = group?.text(['rope_type', 'type']) ?? 'default';
  if (type !== 'default') {
    throw new ConfigError(
      `${fields.name}: rotary embedding of type ${type} is not supported; Laminar computes default`,
      { code: 'config-unsupported', subject: { kind: 'key', name: 'rope_type' } },
    );
  }
  const fraction =
    group?.nonNegativeOrUndefined(['partial_rotary_factor']) ?? fields.nonNegative(['rotary_pct'], 0.25);
  const rotaryBase =
    group?.positiveOrUndefined(['rope_theta']) ?? fields.positive(['rotary_emb_base'], 10_000);
  const rotaryDimensions = Math.trunc(headWidth * fraction);
  // An odd number of dimensions has one more frequency than whole pairs. So one more dimension turns, which must exist.
  if (2 * Math.ceil(rotaryDimensions / 2) > headWidth) {
    throw new ConfigError(
      `${fields.name}: rotary_pct ${fraction} of a head of ${headWidth} rotates ${rotaryDimensions} dimensions; ` +
        `it must be at most ${2 * Math.floor(headWidth / 2)}`,
      { code: 'config-key-invalid', subject: { kind: 'key', name: 'rotary_pct' } },
    );
  }
  return { rotaryDimensions, rotaryBase };
}

type Weights<T> = BlockRecord<GptNeoxWeight, AttentionBias, T>;

function describe(config: GptNeoxConfig): Architecture<GptNeoxWeight, AttentionBias, 'weight' | 'bias'> {
  const { width, innerWidth, heads, headWidth, vocabulary, context, rotaryDimensions } = config;
  const epsilon = config.normEpsilon;
  const frequencies = Array.from(
    { length: Math.ceil(rotaryDimensions / 2) },
    (_, index) => config.rotaryBase ** ((-2 * index) / rotaryDimensions),
  );

  /** x ← x + dense(attention(rotary(query_key_value(normed)))) */
  function addAttention<T extends Shaped>(steps: Steps<T>, normed: T, weights: Weights<T>): void {
    const queryKeyValue = steps.linear(normed, 'queryKeyValue', {
      weight: weights.queryKeyValueWeight, // [3d, d], rows query | key | value of one head after another
      bias: weights.queryKeyValueBias,
      layout: '[out, in]',
    });
    const [headStride, keyOffset, valueOffset] = [3 * headWidth, headWidth, 2 * headWidth];
    const perHead = { heads, headWidth, headStride, keyOffset, valueOffset };
    const { query, key, value } = headSlices(perHead);
    steps.activation('attn.hook_q', queryKeyValue, query);
    steps.activation('attn.hook_k', queryKeyValue, key);
    steps.activation('attn.hook_v', queryKeyValue, value);
    if (rotaryDimensions > 0) {
      steps.rotate(queryKeyValue, { ...perHead, dimensions: rotaryDimensions, base: config.rotaryBase });
      steps.activation('attn.hook_rot_q', queryKeyValue, query);
      steps.activation('attn.hook_rot_k', queryKeyValue, key);
    }
    const scale = 1 / Math.sqrt(headWidth);
    const attended = steps.attention(queryKeyValue, 'attended', { ...perHead, scale, name: 'attn' });
    steps.addLinear(attended, steps.residual, {
      weight: weights.projectionWeight,
      bias: weights.projectionBias,
      layout: '[out, in]',
      name: 'hook_attn_out',
    });
  }

  /** x ← x + out(activation(in(normed))) */
  function addMlp<T extends Shaped>(steps: Steps<T>, normed: T, weights: Weights<T>): void {
    const inner = steps.linear(normed, 'inner', {
      weight: weights.mlpInWeight, // [4d, d]
      bias: weights.mlpInBias,
      layout: '[out, in]',
      activation: config.activation,
      name: 'mlp.hook_pre',
    });
    steps.activation('mlp.hook_post', inner);
    steps.addLinear(inner, steps.residual, {
      weight: weights.mlpOutWeight, // [d, 4d]
      bias: weights.mlpOutBias,
      layout: '[out, in]',
      name: 'hook_mlp_out',
    });
  }

  return {
    config,
    basePrefix: 'gpt_neox.',
    embeddings: [{ table: { name: 'embed_in.weight', shape: [vocabulary, width] }, by: 'token' }],
    blocks: 'layers',

    blockWeights() {
      const attentionBiases = {
        queryKeyValueBias: { name: 'attention.query_key_value.bias', shape: [3 * width] },
        projectionBias: { name: 'attention.dense.bias', shape: [width] },
      };
      return {
        attentionNormWeight: { name: 'input_layernorm.weight', shape: [width], isScale: true },
        attentionNormBias: { name: 'input_layernorm.bias', shape: [width] },
        mlpNormWeight: { name: 'post_attention_layernorm.weight', shape: [width], isScale: true },
        mlpNormBias: { name: 'post_attention_layernorm.bias', shape: [width] },
        queryKeyValueWeight: { name: 'attention.query_key_value.weight', shape: [3 * width, width] },
        projectionWeight: { name: 'attention.dense.weight', shape: [width, width] },
        ...(config.attentionBias && attentionBiases),
        mlpInWeight: { name: 'mlp.dense_h_to_4h.weight', shape: [innerWidth, width] },
        mlpInBias: { name: 'mlp.dense_h_to_4h.bias', shape: [innerWidth] },
        mlpOutWeight: { name: 'mlp.dense_4h_to_h.weight', shape: [width, innerWidth] },
        mlpOutBias: { name: 'mlp.dense_4h_to_h.bias', shape: [width] },
      };
    },
    blockBuffers: [
      { name: 'attention.bias', shape: [1, 1, context, context], dtype: 'U8', content: 'causal-mask' },
      { name: 'attention.masked_bias', shape: [], dtype: 'model', content: [-1e9] },
      {
        name: 'attention.rotary_emb.inv_freq',
        shape: [frequencies.length],
        dtype: 'F32',
        content: frequencies,
      },
    ],

    finalWeights: {
      weight: { name: 'final_layer_norm.weight', shape: [width], isScale: true },
      bias: { name: 'final_layer_norm.bias', shape: [width] },
    },
    head: { name: 'embed_out.weight', shape: [vocabulary, width] },

    block(steps, weights) {
      const { residual } = steps; // [B·T, d]
      const attentionNorm = {
        weight: weights.attentionNormWeight,
        bias: weights.attentionNormBias,
        epsilon,
        name: 'ln1',
      };
      const mlpNorm = { weight: weights.mlpNormWeight, bias: weights.mlpNormBias, epsilon, name: 'ln2' };
      const normed = steps.layerNorm(residual, 'normed', attentionNorm);
      if (config.parallelResidual) {
        // x + attention(ln1 x) + mlp(ln2 x): both norms see x before either is added.
        const mlpNormed = steps.layerNorm(residual, 'mlpNormed', mlpNorm);
        addAttention(steps, normed, weights);
        addMlp(steps, mlpNormed, weights);
      } else {
        addAttention(steps, normed, weights);
        steps.activation('hook_resid_mid', residual);
        addMlp(steps, steps.layerNorm(residual, 'normed', mlpNorm), weights);
      }
    },

    final: (steps, weights) =>
      steps.layerNorm(steps.residual, 'normed', { ...weights, epsilon, name: 'ln_final' }),
  };
}
