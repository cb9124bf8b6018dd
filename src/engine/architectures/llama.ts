import type { Architecture, BlockRecord, Family, WeightSpec } from './architecture.ts';
import { readLlamaConfig } from './llama-config.ts';
import type { LlamaConfig, LlamaKind } from './llama-config.ts';
import { headSlices } from './steps.ts';
import type { LinearWeights, Shaped, Steps } from './steps.ts';

type Matrix = 'query' | 'key' | 'value' | 'projection' | 'gate' | 'up' | 'down';
type LlamaWeight = `${'attentionNorm' | Matrix | 'mlpNorm'}Weight`;
type Optional = `${Matrix}Bias` | 'queryNormWeight' | 'keyNormWeight';

/**
 * The Llama family (Touvron et al. 2023): RMS norms, rotary positions on whole heads, several query heads for each head
 * of keys and values, a gated MLP; attention, then MLP, each added to the residual. Its matrices are Linear's: [out,
 * in].
 */
function family(classPrefix: string, kind: LlamaKind): Family {
  const { modelType } = kind;
  return { modelType, classPrefix, describe: (fields) => describe(readLlamaConfig(fields, kind)) };
}

export const llama = family('Llama', {
  modelType: 'llama',
  keyValueHeads: null,
  headWidth: null,
  attentionBias: 'attention_bias',
  hasMlpBias: true,
  hasHeadNorms: false,
  slidingLayers: 'none',
});

/** Mistral (Jiang et al. 2023). */
export const mistral = family('Mistral', {
  modelType: 'mistral',
  keyValueHeads: 8,
  headWidth: null,
  attentionBias: 'none',
  hasMlpBias: false,
  hasHeadNorms: false,
  slidingLayers: 'all',
});

/** Qwen 2 and 2.5 (Yang et al. 2024). */
export const qwen2 = family('Qwen2', {
  modelType: 'qwen2',
  keyValueHeads: 32,
  headWidth: null,
  attentionBias: 'query-key-value',
  hasMlpBias: false,
  hasHeadNorms: false,
  slidingLayers: 'chosen',
});

/** Qwen 3 (Yang et al. 2025). */
export const qwen3 = family('Qwen3', {
  modelType: 'qwen3',
  keyValueHeads: 32,
  headWidth: 128,
  attentionBias: 'attention_bias',
  hasMlpBias: false,
  hasHeadNorms: true,
  slidingLayers: 'chosen',
});

type Weights<T> = BlockRecord<LlamaWeight, Optional, T>;

function describe(config: LlamaConfig): Architecture<LlamaWeight, Optional, 'weight'> {
  const { width, innerWidth, heads, keyValueHeads, headWidth, vocabulary, normEpsilon: epsilon } = config;
  const queryWidth = heads * headWidth; // need not be the model's width
  const keyWidth = keyValueHeads * headWidth;
  /** Rows of queries | keys | values. */
  const layout = {
    heads,
    keyValueHeads,
    headWidth,
    headStride: headWidth,
    keyOffset: queryWidth,
    valueOffset: queryWidth + keyWidth,
  };
  const { query, key, value } = headSlices(layout);

  function matrix<T extends Shaped>(weights: Weights<T>, name: Matrix): LinearWeights<T> {
    return { weight: weights[`${name}Weight`], bias: weights[`${name}Bias`], layout: '[out, in]' };
  }

  /** x ← x + o(attention(rotary(norm(q normed)), rotary(norm(k normed)), v normed)) */
  function addAttention<T extends Shaped>(steps: Steps<T>, normed: T, weights: Weights<T>): void {
    const queryKeyValue = steps.linears(normed, 'queryKeyValue', [
      matrix(weights, 'query'),
      matrix(weights, 'key'),
      matrix(weights, 'value'),
    ]);
    steps.activation('attn.hook_q', queryKeyValue, query);
    steps.activation('attn.hook_k', queryKeyValue, key);
    steps.activation('attn.hook_v', queryKeyValue, value);
    if (weights.queryNormWeight && weights.keyNormWeight) {
      steps.normHeads(queryKeyValue, query, { weight: weights.queryNormWeight, epsilon });
      steps.normHeads(queryKeyValue, key, { weight: weights.keyNormWeight, epsilon });
      steps.activation('attn.q_norm.hook_out', queryKeyValue, query);
      steps.activation('attn.k_norm.hook_out', queryKeyValue, key);
    }
    steps.rotate(queryKeyValue, { ...layout, ...config.rotary });
    steps.activation('attn.hook_rot_q', queryKeyValue, query);
    steps.activation('attn.hook_rot_k', queryKeyValue, key);
    const scale = 1 / Math.sqrt(headWidth);
    const attended = steps.attention(queryKeyValue, 'attended', { ...layout, scale, name: 'attn' });
    steps.addLinear(attended, steps.residual, { ...matrix(weights, 'projection'), name: 'hook_attn_out' });
    steps.activation('hook_resid_mid', steps.residual);
  }

  /** x ← x + down(activation(gate normed) · up normed) */
  function addMlp<T extends Shaped>(steps: Steps<T>, normed: T, weights: Weights<T>): void {
    const { activation } = config;
    const gate = { ...matrix(weights, 'gate'), activation, name: 'mlp.hook_pre' };
    const inner = steps.linear(normed, 'inner', gate);
    const up = steps.linear(normed, 'up', { ...matrix(weights, 'up'), name: 'mlp.hook_pre_linear' });
    steps.multiply(inner, up);
    steps.activation('mlp.hook_post', inner);
    steps.addLinear(inner, steps.residual, { ...matrix(weights, 'down'), name: 'hook_mlp_out' });
  }

  return {
    config,
    basePrefix: 'model.',
    embeddings: [{ table: { name: 'embed_tokens.weight', shape: [vocabulary, width] }, by: 'token' }],
    blocks: 'layers',

    blockWeights() {
      const norm = (name: string, size: number): WeightSpec => ({
        name: `${name}.weight`,
        shape: [size],
        isScale: true,
      });
      const { queryKeyValueBias, projectionBias, mlpBias, headNorms } = config;
      return {
        attentionNormWeight: norm('input_layernorm', width),
        queryWeight: { name: 'self_attn.q_proj.weight', shape: [queryWidth, width] },
        keyWeight: { name: 'self_attn.k_proj.weight', shape: [keyWidth, width] },
        valueWeight: { name: 'self_attn.v_proj.weight', shape: [keyWidth, width] },
        ...(queryKeyValueBias && {
          queryBias: { name: 'self_attn.q_proj.bias', shape: [queryWidth] },
          keyBias: { name: 'self_attn.k_proj.bias', shape: [keyWidth] },
          valueBias: { name: 'self_attn.v_proj.bias', shape: [keyWidth] },
        }),
        ...(headNorms && {
          queryNormWeight: norm('self_attn.q_norm', headWidth),
          keyNormWeight: norm('self_attn.k_norm', headWidth),
        }),
        projectionWeight: { name: 'self_attn.o_proj.weight', shape: [width, queryWidth] },
        ...(projectionBias && { projectionBias: { name: 'self_attn.o_proj.bias', shape: [width] } }),
        mlpNormWeight: norm('post_attention_layernorm', width),
        gateWeight: { name: 'mlp.gate_proj.weight', shape: [innerWidth, width] },
        upWeight: { name: 'mlp.up_proj.weight', shape: [innerWidth, width] },
        downWeight: { name: 'mlp.down_proj.weight', shape: [width, innerWidth] },
        ...(mlpBias && {
          gateBias: { name: 'mlp.gate_proj.bias', shape: [innerWidth] },
          upBias: { name: 'mlp.up_proj.bias', shape: [innerWidth] },
          downBias: { name: 'mlp.down_proj.bias', shape: [width] },
        }),
      };
    },
    // Old files keep rotary_emb.inv_freq, rounded; published ones of today have none.
    blockBuffers: [],

    finalWeights: { weight: { name: 'norm.weight', shape: [width], isScale: true } },
    head: { name: 'lm_head.weight', shape: [vocabulary, width] },

    block(steps, weights) {
      const { residual } = steps; // [B·T, d]
      const attentionNorm = { weight: weights.attentionNormWeight, epsilon, name: 'ln1' };
      addAttention(steps, steps.rmsNorm(residual, 'normed', attentionNorm), weights);
      const mlpNorm = { weight: weights.mlpNormWeight, epsilon, name: 'ln2' };
      addMlp(steps, steps.rmsNorm(residual, 'normed', mlpNorm), weights);
    },

    final: (steps, weights) =>
      steps.rmsNorm(steps.residual, 'normed', { ...weights, epsilon, name: 'ln_final' }),
  };
}
