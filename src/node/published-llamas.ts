import type { WeightDtype } from './published-shapes.ts';

/** What is known of a published model of the Llama family. */
interface PublishedLlama {
  readonly config: Readonly<Record<string, unknown>>;
  readonly dtype: WeightDtype;
}

/** Sizes as config.json names them. */
interface Sizes {
  readonly num_hidden_layers: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim?: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
}

const common = { attention_dropout: 0, hidden_act: 'silu', initializer_range: 0.02, use_cache: true };

function llama(sizes: Sizes, rest: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const biases = { attention_bias: false, mlp_bias: false };
  const usual = { ...common, ...biases, pretraining_tp: 1, rms_norm_eps: 1e-5 };
  return { architectures: ['LlamaForCausalLM'], model_type: 'llama', ...usual, ...sizes, ...rest };
}

/** @param factor by which the longest wavelengths are stretched */
function llama3(sizes: Sizes, factor: number, tied: boolean): PublishedLlama {
  const rope_scaling = {
    factor,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  };
  const rest = { rope_scaling, rope_theta: 500_000, tie_word_embeddings: tied };
  const tokens = { bos_token_id: 128_000, eos_token_id: 128_001 };
  return { config: llama(sizes, { ...tokens, ...rest }), dtype: 'BF16' };
}

function qwen(version: 2 | 3, sizes: Sizes, sliding_window: number | null): Record<string, unknown> {
  return {
    architectures: [`Qwen${version}ForCausalLM`],
    model_type: `qwen${version}`,
    ...common,
    ...(version === 3 && { attention_bias: false, rope_scaling: null }),
    bos_token_id: 151_643,
    eos_token_id: version === 3 ? 151_645 : 151_643,
    ...sizes,
    max_window_layers: sizes.num_hidden_layers,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    sliding_window,
    tie_word_embeddings: true,
    use_sliding_window: false,
  };
}

/** https://huggingface.co/meta-llama, mistralai, Qwen and HuggingFaceTB, by their names there. */
export const publishedLlamas: Readonly<Record<string, PublishedLlama>> = {
  'SmolLM2-135M': {
    config: llama(
      {
        num_hidden_layers: 30,
        hidden_size: 576,
        intermediate_size: 1536,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        vocab_size: 49_152,
        max_position_embeddings: 8192,
      },
      {
        bos_token_id: 0,
        eos_token_id: 0,
        rope_scaling: null,
        rope_theta: 100_000,
        tie_word_embeddings: true,
      },
    ),
    dtype: 'BF16',
  },
  'Llama-2-7b-hf': {
    config: llama(
      {
        num_hidden_layers: 32,
        hidden_size: 4096,
        intermediate_size: 11_008,
        num_attention_heads: 32,
        num_key_value_heads: 32,
        vocab_size: 32_000,
        max_position_embeddings: 4096,
      },
      { bos_token_id: 1, eos_token_id: 2, rope_scaling: null, tie_word_embeddings: false },
    ),
    dtype: 'F16',
  },
  'Llama-3.1-8B': llama3(
    {
      num_hidden_layers: 32,
      hidden_size: 4096,
      intermediate_size: 14_336,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      vocab_size: 128_256,
      max_position_embeddings: 131_072,
    },
    8,
    false,
  ),
  'Llama-3.2-1B': llama3(
    {
      num_hidden_layers: 16,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 64,
      vocab_size: 128_256,
      max_position_embeddings: 131_072,
    },
    32,
    true,
  ),
  'Mistral-7B-v0.3': {
    config: {
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      ...common,
      bos_token_id: 1,
      eos_token_id: 2,
      num_hidden_layers: 32,
      hidden_size: 4096,
      intermediate_size: 14_336,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      vocab_size: 32_768,
      max_position_embeddings: 32_768,
      rms_norm_eps: 1e-5,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: false,
    },
    dtype: 'BF16',
  },
  'Qwen2.5-0.5B': {
    config: qwen(
      2,
      {
        num_hidden_layers: 24,
        hidden_size: 896,
        intermediate_size: 4864,
        num_attention_heads: 14,
        num_key_value_heads: 2,
        vocab_size: 151_936,
        max_position_embeddings: 32_768,
      },
      32_768,
    ),
    dtype: 'BF16',
  },
  'Qwen3-0.6B': {
    config: qwen(
      3,
      {
        num_hidden_layers: 28,
        hidden_size: 1024,
        intermediate_size: 3072,
        num_attention_heads: 16,
        num_key_value_heads: 8,
        head_dim: 128,
        vocab_size: 151_936,
        max_position_embeddings: 40_960,
      },
      null,
    ),
    dtype: 'BF16',
  },
};
