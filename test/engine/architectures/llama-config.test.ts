import { describe, expect, it } from 'vitest';
import { readArchitecture } from '../../../src/engine/architectures/registry.ts';
import { ConfigError, InputError } from '../../../src/engine/errors.ts';
import { checkSequences } from '../../../src/engine/sequences.ts';

const sizes = {
  vocab_size: 1000,
  max_position_embeddings: 32_768,
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 4,
  num_attention_heads: 64,
};
const llama = { model_type: 'llama', ...sizes };
const mistral = { model_type: 'mistral', ...sizes };
const qwen2 = { model_type: 'qwen2', ...sizes };
const qwen3 = { model_type: 'qwen3', ...sizes };
const parse = (json: unknown) => readArchitecture(json, 'folder/config.json').config;

const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const llama3Scaling = { type: 'llama3', factor: 8, lowFactor: 1, highFactor: 4, context: 8192 };

describe('what a configuration leaves out', () => {
  const common = { activation: 'silu', normEpsilon: 1e-6, tiedEmbeddings: false, mlpBias: false };
  const none = { queryKeyValueBias: false, projectionBias: false };

  it.each([
    ['Llama', llama, { ...none, keyValueHeads: 64, headWidth: 16, headNorms: false }],
    ['Mistral', mistral, { ...none, keyValueHeads: 8, headWidth: 16, headNorms: false, slidingWindow: 4096 }],
    ['Qwen 2', qwen2, { queryKeyValueBias: true, projectionBias: false, keyValueHeads: 32, headWidth: 16 }],
    ['Qwen 3', qwen3, { ...none, keyValueHeads: 32, headWidth: 128, headNorms: true }],
  ])('%s', (_, json, expected) => {
    const config = parse(json);
    expect(config).toMatchObject({ ...common, ...expected });
    expect(config).toMatchObject({ rotary: { dimensions: config.headWidth, base: 10_000 } });
    if (!('slidingWindow' in expected)) expect(config.slidingWindow).toBeUndefined();
  });

  it('is known from the class where there is no model_type', () => {
    for (const [name, architecture] of [
      ['LlamaForCausalLM', 'llama'],
      ['MistralModel', 'mistral'],
      ['Qwen2ForCausalLM', 'qwen2'],
      ['Qwen3ForSequenceClassification', 'qwen3'],
    ]) {
      expect(parse({ ...sizes, architectures: [name] }).architecture).toBe(architecture);
    }
    for (const name of ['Qwen2MoeForCausalLM', 'MixtralForCausalLM', 'Qwen2_5_VLForConditionalGeneration']) {
      expect(() => parse({ ...sizes, architectures: [name] })).toThrow(/has no model_type/);
    }
  });

  it('num_key_value_heads of null means as many as there are heads', () => {
    for (const json of [llama, mistral, qwen2, qwen3]) {
      expect(parse({ ...json, num_key_value_heads: null }).keyValueHeads).toBe(64);
    }
  });
});

describe('heads', () => {
  it('have the width that is said, whatever the model has', () => {
    const json = { ...llama, num_attention_heads: 6, num_key_value_heads: 2, head_dim: 80 };
    expect(parse(json)).toMatchObject({ heads: 6, keyValueHeads: 2, headWidth: 80 });
  });

  it.each([
    [
      'groups that do not come out even',
      { ...llama, num_key_value_heads: 3 },
      /num_key_value_heads is 3, which does not divide the 64 heads/,
    ],
    [
      'fewer heads than the default groups',
      { ...qwen2, num_attention_heads: 16 },
      /num_key_value_heads is 32, which does not divide the 16 heads/,
    ],
    [
      'heads that do not share the width',
      { ...llama, num_attention_heads: 3, num_key_value_heads: 3 },
      /num_attention_heads is 3, which does not divide the width 1024, and there is no head_dim/,
    ],
    ['more heads than width', { ...llama, hidden_size: 32 }, /does not divide the width 32/],
    ['heads of an odd width', { ...qwen3, head_dim: 15 }, /heads have 15 dimensions; .* even number/],
  ])('refuses %s', (_, json, message) => {
    expect(() => parse(json)).toThrow(ConfigError);
    expect(() => parse(json)).toThrow(message);
  });
});

describe('biases', () => {
  it.each([
    ['Llama', llama, { queryKeyValueBias: true, projectionBias: true, mlpBias: true }],
    ['Mistral', mistral, { queryKeyValueBias: false, projectionBias: false, mlpBias: false }],
    ['Qwen 2', qwen2, { queryKeyValueBias: true, projectionBias: false, mlpBias: false }],
    ['Qwen 3', qwen3, { queryKeyValueBias: true, projectionBias: true, mlpBias: false }],
  ])('%s, all asked for', (_, json, expected) => {
    expect(parse({ ...json, attention_bias: true, mlp_bias: true })).toMatchObject(expected);
  });
});

describe('rotary embeddings', () => {
  it.each([
    ['a base beside', { rope_theta: 5e5 }, { base: 5e5, scaling: undefined }],
    ['version 5', { rope_parameters: { rope_theta: 7, ...llama3 } }, { base: 7, scaling: llama3Scaling }],
    ['older files', { rope_theta: 8, rope_scaling: llama3 }, { base: 8, scaling: llama3Scaling }],
    [
      'the oldest',
      { rope_scaling: { type: 'linear', factor: 4 } },
      { base: 10_000, scaling: { type: 'linear', factor: 4 } },
    ],
    [
      'both: the older whole',
      { rope_scaling: { type: 'linear', factor: 4 }, rope_parameters: { rope_theta: 7 } },
      { base: 10_000, scaling: { type: 'linear', factor: 4 } },
    ],
    [
      'an empty older one',
      { rope_scaling: {}, rope_parameters: { rope_theta: 7 } },
      { base: 7, scaling: undefined },
    ],
    [
      'rope_type before type',
      { rope_scaling: { type: 'linear', rope_type: 'default' } },
      { base: 10_000, scaling: undefined },
    ],
    [
      'the context where none was before',
      { rope_scaling: { ...llama3, original_max_position_embeddings: null } },
      { scaling: { ...llama3Scaling, context: 32_768 } },
    ],
  ])('%s', (_, settings, rotary) => {
    for (const json of [llama, mistral, qwen2, qwen3]) {
      expect(parse({ ...json, ...settings })).toMatchObject({ rotary });
    }
  });

  it.each([
    [
      'yarn',
      { rope_scaling: { type: 'yarn', factor: 4 } },
      /type yarn is not supported; Laminar computes default, linear and llama3/,
    ],
    ['dynamic', { rope_scaling: { rope_type: 'dynamic', factor: 4 } }, /type dynamic is not supported/],
    ['longrope', { rope_parameters: { rope_type: 'longrope' } }, /type longrope is not supported/],
    ['a type that is no text', { rope_scaling: { type: 3 } }, /type is 3; it must be a string/],
    ['a scaling without a factor', { rope_scaling: { type: 'linear' } }, /rope_scaling: factor is missing/],
    [
      'a factor of zero',
      { rope_scaling: { type: 'linear', factor: 0 } },
      /factor is 0; it must be a number above 0/,
    ],
    [
      'factors that cross',
      { rope_scaling: { ...llama3, low_freq_factor: 4 } },
      /high_freq_factor is 4; it must be above low_freq_factor, 4/,
    ],
    [
      'a part of each head',
      { rope_scaling: { type: 'linear', factor: 2, partial_rotary_factor: 0.5 } },
      /partial_rotary_factor is 0\.5/,
    ],
    [
      'settings by layer',
      { rope_parameters: { full_attention: { rope_theta: 7 } } },
      /full_attention has settings of its own/,
    ],
  ])('refuses %s', (_, settings, message) => {
    for (const json of [llama, mistral, qwen2, qwen3]) {
      expect(() => parse({ ...json, ...settings })).toThrow(ConfigError);
      expect(() => parse({ ...json, ...settings })).toThrow(message);
      expect(() => parse({ ...json, ...settings })).toThrow(/^folder\/config\.json: [^\n]*$/);
    }
  });
});

describe('a sliding window', () => {
  it.each([
    ['Llama has none', { ...llama, sliding_window: 8 }, undefined],
    ['Mistral, null', { ...mistral, sliding_window: null }, undefined],
    ['Mistral, a number', { ...mistral, sliding_window: 8 }, 8],
    ['Qwen, not used', { ...qwen2, sliding_window: 8, max_window_layers: 0 }, undefined],
    [
      'Qwen, used in later layers',
      { ...qwen2, sliding_window: 8, use_sliding_window: true, max_window_layers: 3 },
      8,
    ],
    [
      'Qwen, used in layers that it has not',
      { ...qwen3, sliding_window: 8, use_sliding_window: true, max_window_layers: 4 },
      undefined,
    ],
    [
      'Qwen, no layers named: from 28 on',
      { ...qwen3, sliding_window: 8, use_sliding_window: true },
      undefined,
    ],
    ['Qwen, no width named', { ...qwen3, use_sliding_window: true, max_window_layers: 0 }, 4096],
    [
      'Qwen, a width of null',
      { ...qwen3, sliding_window: null, use_sliding_window: true, max_window_layers: 0 },
      undefined,
    ],
    [
      'Qwen, by layer_types',
      {
        ...qwen3,
        sliding_window: 8,
        use_sliding_window: true,
        layer_types: ['full_attention', 'sliding_attention'],
      },
      8,
    ],
    [
      'Qwen, layer_types without one',
      {
        ...qwen3,
        sliding_window: 8,
        use_sliding_window: true,
        max_window_layers: 0,
        layer_types: ['full_attention'],
      },
      undefined,
    ],
  ])('%s', (_, json, expected) => {
    expect(parse(json).slidingWindow).toBe(expected);
  });

  it('shorter than a text is refused by name, and as long as one does nothing', () => {
    const config = parse({ ...mistral, sliding_window: 8 });
    checkSequences(config, [new Int32Array(8)]);
    const check = () => checkSequences(config, [new Int32Array(9)]);
    expect(check).toThrow(InputError);
    expect(check).toThrow(/^9 tokens are more than the model's sliding_window of 8, .*; take at most 8$/);
  });
});
