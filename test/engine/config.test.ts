import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import { activations } from '../../src/engine/activations.ts';
import { readArchitecture } from '../../src/engine/architectures/registry.ts';
import { ConfigError } from '../../src/engine/errors.ts';

const gpt2 = {
  model_type: 'gpt2',
  vocab_size: 50257,
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
};
const neox = {
  model_type: 'gpt_neox',
  vocab_size: 50304,
  max_position_embeddings: 2048,
  hidden_size: 512,
  intermediate_size: 2048,
  num_hidden_layers: 6,
  num_attention_heads: 8,
};
const parse = (json: unknown) => readArchitecture(json, 'folder/config.json').config;

async function fixture(path: string) {
  return parse(JSON.parse(new TextDecoder().decode(await readFixture(`${path}/config.json`))));
}

describe('readArchitecture', () => {
  it('fills in what a published GPT-2 leaves out', () => {
    expect(parse({ ...gpt2, n_ctx: 512 })).toEqual({
      architecture: 'gpt2',
      layers: 12,
      width: 768,
      heads: 12,
      keyValueHeads: 12,
      headWidth: 64,
      innerWidth: 3072,
      vocabulary: 50257,
      context: 1024,
      activation: 'gelu_new',
      normEpsilon: 1e-5,
      tiedEmbeddings: true,
      scaleAttention: true,
      scaleAttentionByInverseLayer: false,
    });
  });

  it('fills in what a published Pythia leaves out', () => {
    expect(parse(neox)).toEqual({
      architecture: 'gpt_neox',
      layers: 6,
      width: 512,
      heads: 8,
      keyValueHeads: 8,
      headWidth: 64,
      innerWidth: 2048,
      vocabulary: 50304,
      context: 2048,
      activation: 'gelu',
      normEpsilon: 1e-5,
      tiedEmbeddings: false,
      rotaryDimensions: 16,
      rotaryBase: 10000,
      parallelResidual: true,
      attentionBias: true,
    });
  });

  it('honours every setting of GPT-2', () => {
    const config = parse({
      ...gpt2,
      n_inner: 100,
      activation_function: 'relu',
      layer_norm_epsilon: 1e-6,
      scale_attn_weights: false,
      scale_attn_by_inverse_layer_idx: true,
      tie_word_embeddings: false,
    });
    expect(config).toMatchObject({
      innerWidth: 100,
      activation: 'relu',
      normEpsilon: 1e-6,
      tiedEmbeddings: false,
    });
    expect(config).toMatchObject({ scaleAttention: false, scaleAttentionByInverseLayer: true });
  });

  it('honours every setting of GPT-NeoX', () => {
    const config = parse({
      ...neox,
      hidden_act: 'gelu_fast',
      layer_norm_eps: 1e-6,
      rotary_pct: 1,
      rotary_emb_base: 500,
      use_parallel_residual: false,
      attention_bias: false,
      tie_word_embeddings: true,
    });
    expect(config).toMatchObject({
      activation: 'gelu_fast',
      normEpsilon: 1e-6,
      rotaryDimensions: 64,
      rotaryBase: 500,
    });
    expect(config).toMatchObject({ parallelResidual: false, attentionBias: false, tiedEmbeddings: true });
  });

  it('reads the newer names of the rotary settings, and prefers them', () => {
    const rope_parameters = { rope_type: 'default', partial_rotary_factor: 0.5, rope_theta: 1000 };
    const expected = { rotaryDimensions: 32, rotaryBase: 1000 };
    expect(parse({ ...neox, rope_parameters })).toMatchObject(expected);
    expect(parse({ ...neox, rope_parameters, rotary_pct: 0.25, rotary_emb_base: 10 })).toMatchObject(
      expected,
    );
    expect(parse({ ...neox, rope_parameters: { rope_theta: 99 }, rotary_pct: 1 })).toMatchObject({
      rotaryDimensions: 64,
      rotaryBase: 99,
    });
  });

  it('lets rope_scaling of the default type take the place of rope_parameters', () => {
    const rope_scaling = { rope_type: 'default', rope_theta: 500, partial_rotary_factor: 0.5 };
    const expected = { rotaryDimensions: 32, rotaryBase: 500 };
    const rope_parameters = { rope_type: 'yarn', rope_theta: 9, partial_rotary_factor: 1 };
    expect(parse({ ...neox, rope_scaling })).toMatchObject(expected);
    expect(parse({ ...neox, rope_scaling, rope_parameters, rotary_pct: 1 })).toMatchObject(expected);
    expect(parse({ ...neox, rope_scaling: { type: 'default' }, rotary_emb_base: 7 })).toMatchObject({
      rotaryDimensions: 16,
      rotaryBase: 7,
    });
    expect(
      parse({ ...neox, rope_scaling: {}, rope_parameters: { rope_theta: 8 }, rotary_emb_base: 7 }),
    ).toMatchObject({ rotaryBase: 8 });
  });

  it('reads no rope_theta or partial_rotary_factor beside the other settings', () => {
    expect(parse({ ...neox, rope_theta: 77, partial_rotary_factor: 1, rope_scaling: null })).toEqual(
      parse(neox),
    );
  });

  it('takes any number of rotary dimensions that the heads have room for, and an epsilon of 0', () => {
    expect(parse({ ...neox, rotary_pct: 0 })).toMatchObject({ rotaryDimensions: 0 });
    expect(parse({ ...neox, rotary_pct: 0.001 })).toMatchObject({ rotaryDimensions: 0 });
    expect(parse({ ...neox, rotary_pct: 5 / 64 })).toMatchObject({ rotaryDimensions: 5 });
    expect(parse({ ...neox, rotary_pct: 63 / 64 })).toMatchObject({ rotaryDimensions: 63 });
    expect(parse({ ...neox, layer_norm_eps: 0 }).normEpsilon).toBe(0);
    expect(parse({ ...gpt2, layer_norm_epsilon: 0 }).normEpsilon).toBe(0);
  });

  it('cuts the rotary dimensions off, as int() does', () => {
    expect(parse({ ...neox, hidden_size: 8 * 80, rotary_pct: 0.13 })).toMatchObject({ rotaryDimensions: 10 });
  });

  it('takes the older and the general names of the sizes', () => {
    const { n_positions: context, ...rest } = gpt2;
    expect(parse({ ...rest, n_ctx: context })).toEqual(parse(gpt2));
    expect(
      parse({
        model_type: 'gpt2',
        vocab_size: 50257,
        max_position_embeddings: 1024,
        hidden_size: 768,
        num_hidden_layers: 12,
        num_attention_heads: 12,
      }),
    ).toEqual(parse(gpt2));
  });

  it('finds the model_type that is missing by any known class', () => {
    const { model_type: type, ...rest } = gpt2;
    expect(parse({ ...rest, architectures: ['MyHead', 'GPT2LMHeadModel'] }).architecture).toBe(type);
  });

  it('takes every activation that the engine computes', () => {
    for (const activation of activations) {
      expect(parse({ ...gpt2, activation_function: activation }).activation).toBe(activation);
      expect(parse({ ...neox, hidden_act: activation }).activation).toBe(activation);
    }
  });

  it.each([
    ['null', null, /is not a JSON object/],
    ['no model_type', {}, /has no model_type/],
    ['another model', { model_type: 'mamba' }, /model_type mamba is not known; Laminar runs gpt2, .*qwen3/],
    ['a model_type that is no text', { model_type: 1 }, /model_type is 1/],
    ['no width', { ...gpt2, n_embd: undefined }, /n_embd is missing/],
    ['a width of null', { ...gpt2, n_embd: null }, /n_embd is missing/],
    ['a width of zero', { ...gpt2, n_embd: 0 }, /n_embd is 0; it must be a positive integer/],
    ['a fractional width', { ...gpt2, n_embd: 76.8 }, /n_embd is 76\.8/],
    ['a width of text', { ...gpt2, n_embd: '768' }, /n_embd is "768"/],
    [
      'a width beyond 32 bits',
      { ...gpt2, n_embd: 2 ** 40 },
      /n_embd is 1099511627776; it must be at most 2147483647/,
    ],
    ['no layers', { ...neox, num_hidden_layers: -1 }, /num_hidden_layers is -1/],
    ['an inner width of zero', { ...gpt2, n_inner: 0 }, /n_inner is 0/],
    ['no inner width', { ...neox, intermediate_size: null }, /intermediate_size is missing/],
    ['no vocabulary', { ...neox, vocab_size: [] }, /vocab_size is \[\]/],
    [
      'heads that do not divide the width',
      { ...gpt2, n_head: 7 },
      /n_head is 7, which does not divide the width 768/,
    ],
    [
      'an unknown activation',
      { ...gpt2, activation_function: 'swiglu' },
      /activation_function swiglu is not supported; Laminar computes .*gelu_new.*swish/,
    ],
    [
      'an activation with weights',
      { ...neox, hidden_act: 'prelu' },
      /hidden_act prelu is not supported: it has weights of its own/,
    ],
    ['an epsilon below 0', { ...gpt2, layer_norm_epsilon: -1e-5 }, /layer_norm_epsilon is -0\.00001/],
    ['an epsilon of text', { ...neox, layer_norm_eps: '1e-5' }, /layer_norm_eps is "1e-5"/],
    ['a flag of text', { ...neox, use_parallel_residual: 'no' }, /use_parallel_residual is "no"/],
    ['attention to what follows', { ...neox, is_causal: false }, /is_causal is false/],
    ['an encoder', { ...gpt2, is_encoder_decoder: true }, /is_encoder_decoder is true/],
    [
      'heads of another width',
      { ...gpt2, head_dim: 32 },
      /head_dim is 32, and this architecture's is 768 \/ 12 = 64/,
    ],
    [
      'quantised weights',
      { ...gpt2, quantization_config: {} },
      /weights are quantised \(quantization_config\)/,
    ],
    ['a width of NaN', { ...gpt2, n_embd: NaN }, /n_embd is NaN; it must be a positive integer/],
    ['cross-attention', { ...gpt2, add_cross_attention: true }, /add_cross_attention is true/],
    [
      'an odd head that is rotated whole',
      { ...neox, hidden_size: 8 * 15, rotary_pct: 1 },
      /rotates 15 dimensions; it must be at most 14/,
    ],
    ['a negative number of rotary dimensions', { ...neox, rotary_pct: -0.5 }, /rotary_pct is -0\.5/],
    ['more than all rotary dimensions', { ...neox, rotary_pct: 1.5 }, /rotary_pct 1\.5/],
    ['a rotary base of zero', { ...neox, rotary_emb_base: 0 }, /rotary_emb_base is 0/],
    [
      'scaled rotary embeddings',
      { ...neox, rope_scaling: { type: 'linear', factor: 2 } },
      /type linear is not supported/,
    ],
    ['yarn', { ...neox, rope_parameters: { rope_type: 'yarn' } }, /type yarn is not supported/],
    ['rope_parameters of text', { ...neox, rope_parameters: 'default' }, /rope_parameters is "default"/],
  ])('refuses %s', (_, json, message) => {
    expect(() => parse(json)).toThrow(ConfigError);
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(/^folder\/config\.json: [^\n]*$/);
  });
});

describe('the configurations of the golden answers', () => {
  it('are read as they were made', async () => {
    const common = { layers: 3, vocabulary: 307, context: 64, normEpsilon: 1e-5 };
    const gpt2Small = {
      ...common,
      architecture: 'gpt2',
      width: 48,
      heads: 3,
      headWidth: 16,
      tiedEmbeddings: true,
    };
    const neoxSmall = {
      ...common,
      architecture: 'gpt_neox',
      width: 64,
      heads: 4,
      headWidth: 16,
      innerWidth: 256,
    };
    const alice = {
      layers: 6,
      width: 128,
      heads: 4,
      headWidth: 32,
      innerWidth: 512,
      vocabulary: 2048,
      context: 256,
    };
    const expected: Record<string, object> = {
      'weights/alice-gpt2': { ...alice, architecture: 'gpt2', activation: 'gelu_new', tiedEmbeddings: true },
      'weights/alice-pythia': {
        ...alice,
        architecture: 'gpt_neox',
        rotaryDimensions: 8,
        tiedEmbeddings: false,
      },
      'test/golden/gpt2-f16': { ...gpt2Small, width: 64, heads: 1, headWidth: 64, innerWidth: 256 },
      'test/golden/gpt2-inner-gelu': { ...gpt2Small, innerWidth: 100, activation: 'gelu' },
      'test/golden/gpt2-inverse-layer-scale': {
        ...gpt2Small,
        scaleAttentionByInverseLayer: true,
        scaleAttention: true,
      },
      'test/golden/gpt2-massive': { ...gpt2Small, layers: 5, width: 96, heads: 4, headWidth: 24 },
      'test/golden/gpt2-noprefix-tied': { ...gpt2Small, width: 80, heads: 5, vocabulary: 513 },
      'test/golden/gpt2-one-token': gpt2Small,
      'test/golden/gpt2-prefix-f32': { ...gpt2Small, innerWidth: 192, activation: 'gelu_new' },
      'test/golden/neox-bf16-sharded': {
        ...neoxSmall,
        rotaryDimensions: 8,
        rotaryBase: 1000,
        activation: 'gelu',
      },
      'test/golden/neox-f16': {
        ...neoxSmall,
        rotaryDimensions: 4,
        rotaryBase: 10000,
        parallelResidual: true,
      },
      'test/golden/neox-f32-sequential': { ...neoxSmall, rotaryDimensions: 4, parallelResidual: false },
      'test/golden/neox-full-rotary': {
        ...neoxSmall,
        width: 96,
        heads: 3,
        headWidth: 32,
        rotaryDimensions: 32,
        innerWidth: 200,
      },
    };
    for (const [path, config] of Object.entries(expected))
      expect(await fixture(path), path).toMatchObject(config);
  });
});
