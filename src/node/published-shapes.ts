import type { ModelConfig } from '../engine/config.ts';
import { InputError } from '../engine/errors.ts';
import type { TensorDeclaration } from '../engine/safetensors.ts';

/** What random numbers, or which of a model's constant buffers, a tensor holds. */
export type TensorContent = 'weight' | 'norm-scale' | 'causal-mask' | 'masked-score' | 'inverse-frequencies';

export interface PublishedTensor extends TensorDeclaration {
  readonly content: TensorContent;
}

export type WeightDtype = 'F32' | 'F16' | 'BF16';

export interface PublishedModel {
  /** The config.json, in the words that it was published in. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The dtype that it was published in. */
  readonly dtype: WeightDtype;
  /** What the names of its tensors begin with. */
  readonly prefix: string;
}

/** Layers, width, heads: https://huggingface.co/openai-community and https://huggingface.co/distilbert/distilgpt2 */
const gpt2Shapes: Readonly<Record<string, readonly [layers: number, width: number, heads: number]>> = {
  distilgpt2: [6, 768, 12],
  gpt2: [12, 768, 12],
  'gpt2-medium': [24, 1024, 16],
  'gpt2-large': [36, 1280, 20],
  'gpt2-xl': [48, 1600, 25],
};

/** Layers, width, heads, rows of the embedding: https://huggingface.co/EleutherAI */
const pythiaShapes: Readonly<
  Record<string, readonly [layers: number, width: number, heads: number, vocabulary: number]>
> = {
  'pythia-14m': [6, 128, 4, 50304],
  'pythia-31m': [6, 256, 8, 50304],
  'pythia-70m': [6, 512, 8, 50304],
  'pythia-160m': [12, 768, 12, 50304],
  'pythia-410m': [24, 1024, 16, 50304],
  'pythia-1b': [16, 2048, 8, 50304],
  'pythia-1.4b': [24, 2048, 16, 50304],
  'pythia-2.8b': [32, 2560, 32, 50304],
  'pythia-6.9b': [32, 4096, 32, 50432],
  'pythia-12b': [36, 5120, 40, 50688],
};

export const publishedNames: readonly string[] = [...Object.keys(gpt2Shapes), ...Object.keys(pythiaShapes)];

/**
 * What is known of a published model, by its name with or without the organisation: gpt2-xl, EleutherAI/pythia-2.8b,
 * and EleutherAI/pythia-2.8b-deduped, which has the same shape.
 *
 * @throws InputError for any other name.
 */
export function publishedModel(like: string): PublishedModel {
  const name = like.slice(like.lastIndexOf('/') + 1).replace(/^(pythia-.*)-deduped$/, '$1');
  if (Object.hasOwn(gpt2Shapes, name)) {
    const [layers, width, heads] = gpt2Shapes[name]!;
    // Names come in both forms among published files; distilgpt2 is the one that takes the longer here.
    return {
      config: gpt2Config(layers, width, heads),
      dtype: 'F32',
      prefix: name === 'distilgpt2' ? 'transformer.' : '',
    };
  }
  if (Object.hasOwn(pythiaShapes, name)) {
    const [layers, width, heads, vocabulary] = pythiaShapes[name]!;
    return { config: pythiaConfig(layers, width, heads, vocabulary), dtype: 'F16', prefix: 'gpt_neox.' };
  }
  throw new InputError(
    `${like}: is no model whose shape is known; choose one of ${publishedNames.join(', ')}`,
  );
}

/** The tensors of a published checkpoint, buffers and all, in the order of the forward pass. */
export function publishedTensors(config: ModelConfig, dtype: WeightDtype, prefix: string): PublishedTensor[] {
  const { layers, width, innerWidth, vocabulary, context } = config;
  const tensors: PublishedTensor[] = [];
  const add = (name: string, shape: number[], content: TensorContent = 'weight', as: string = dtype) =>
    tensors.push({ name, shape, content, dtype: as });
  const addNorm = (name: string) => {
    add(`${name}.weight`, [width], 'norm-scale');
    add(`${name}.bias`, [width]);
  };

  if (config.architecture === 'gpt2') {
    // Conv1D keeps its weights [in, out].
    const addConv1d = (name: string, inputs: number, outputs: number) => {
      add(`${name}.weight`, [inputs, outputs]);
      add(`${name}.bias`, [outputs]);
    };
    add(`${prefix}wte.weight`, [vocabulary, width]);
    add(`${prefix}wpe.weight`, [context, width]);
    for (let layer = 0; layer < layers; layer++) {
      const block = `${prefix}h.${layer}`;
      addNorm(`${block}.ln_1`);
      add(`${block}.attn.bias`, [1, 1, context, context], 'causal-mask');
      addConv1d(`${block}.attn.c_attn`, width, 3 * width);
      addConv1d(`${block}.attn.c_proj`, width, width);
      addNorm(`${block}.ln_2`);
      addConv1d(`${block}.mlp.c_fc`, width, innerWidth);
      addConv1d(`${block}.mlp.c_proj`, innerWidth, width);
    }
    addNorm(`${prefix}ln_f`);
    return tensors;
  }

  // Linear keeps its weights [out, in].
  const addLinear = (name: string, inputs: number, outputs: number) => {
    add(`${name}.weight`, [outputs, inputs]);
    add(`${name}.bias`, [outputs]);
  };
  add(`${prefix}embed_in.weight`, [vocabulary, width]);
  for (let layer = 0; layer < layers; layer++) {
    const block = `${prefix}layers.${layer}`;
    addNorm(`${block}.input_layernorm`);
    addNorm(`${block}.post_attention_layernorm`);
    add(`${block}.attention.bias`, [1, 1, context, context], 'causal-mask', 'U8');
    add(`${block}.attention.masked_bias`, [], 'masked-score');
    add(
      `${block}.attention.rotary_emb.inv_freq`,
      [config.rotaryDimensions / 2],
      'inverse-frequencies',
      'F32',
    );
    addLinear(`${block}.attention.query_key_value`, width, 3 * width);
    addLinear(`${block}.attention.dense`, width, width);
    addLinear(`${block}.mlp.dense_h_to_4h`, width, innerWidth);
    addLinear(`${block}.mlp.dense_4h_to_h`, innerWidth, width);
  }
  addNorm(`${prefix}final_layer_norm`);
  add('embed_out.weight', [vocabulary, width]);
  return tensors;
}

function gpt2Config(layers: number, width: number, heads: number): Record<string, unknown> {
  return {
    activation_function: 'gelu_new',
    architectures: ['GPT2LMHeadModel'],
    attn_pdrop: 0.1,
    bos_token_id: 50256,
    embd_pdrop: 0.1,
    eos_token_id: 50256,
    initializer_range: 0.02,
    layer_norm_epsilon: 1e-5,
    model_type: 'gpt2',
    n_ctx: 1024,
    n_embd: width,
    n_head: heads,
    n_layer: layers,
    n_positions: 1024,
    resid_pdrop: 0.1,
    vocab_size: 50257,
  };
}

function pythiaConfig(
  layers: number,
  width: number,
  heads: number,
  vocabulary: number,
): Record<string, unknown> {
  return {
    architectures: ['GPTNeoXForCausalLM'],
    bos_token_id: 0,
    eos_token_id: 0,
    hidden_act: 'gelu',
    hidden_size: width,
    initializer_range: 0.02,
    intermediate_size: 4 * width,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 2048,
    model_type: 'gpt_neox',
    num_attention_heads: heads,
    num_hidden_layers: layers,
    rotary_emb_base: 10000,
    rotary_pct: 0.25,
    tie_word_embeddings: false,
    use_cache: true,
    use_parallel_residual: true,
    vocab_size: vocabulary,
  };
}
