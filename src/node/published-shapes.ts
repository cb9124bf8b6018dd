import type { Architecture, BufferSpec, WeightSpec } from '../engine/architectures/architecture.ts';
import { InputError } from '../engine/errors.ts';
import type { TensorDeclaration } from '../engine/safetensors-tensors.ts';
import { publishedLlamas } from './published-llamas.ts';

/** What a tensor holds: random numbers about 0 or about 1, or what a buffer of the model holds. */
export type TensorContent = 'weight' | 'norm-scale' | BufferSpec['content'];

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

export const publishedNames: readonly string[] = [
  ...Object.keys(gpt2Shapes),
  ...Object.keys(pythiaShapes),
  ...Object.keys(publishedLlamas),
];

/** Ids on the hub of the models that people ask for most. */
export const publishedIds: readonly string[] = [
  ...Object.keys(gpt2Shapes),
  ...Object.keys(pythiaShapes).map((name) => `EleutherAI/${name}`),
];

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
    // Published files have names of both forms; distilgpt2 has the longer ones here.
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
  if (Object.hasOwn(publishedLlamas, name)) return { ...publishedLlamas[name]!, prefix: 'model.' };
  throw new InputError(
    `${like}: is not a model whose shape is known; choose one of ${publishedNames.join(', ')}`,
  );
}

/** The tensors of a published checkpoint, buffers and all, in the order of the forward pass. */
export function publishedTensors(
  architecture: Architecture,
  dtype: WeightDtype,
  prefix: string,
): PublishedTensor[] {
  const { embeddings, blocks, blockBuffers, finalWeights, head, config } = architecture;
  const weight = ({ name, shape, isScale }: WeightSpec, before: string): PublishedTensor => ({
    name: before + name,
    shape,
    dtype,
    content: isScale ? 'norm-scale' : 'weight',
  });
  const block = (layer: number): PublishedTensor[] => {
    const before = `${prefix}${blocks}.${layer}.`;
    return [
      ...Object.values<WeightSpec>(architecture.blockWeights(layer)).map((spec) => weight(spec, before)),
      ...blockBuffers.map((buffer) => ({
        name: before + buffer.name,
        shape: buffer.shape,
        dtype: buffer.dtype === 'model' ? dtype : buffer.dtype,
        content: buffer.content,
      })),
    ];
  };
  return [
    ...embeddings.map(({ table }) => weight(table, prefix)),
    ...Array.from({ length: config.layers }, (_, layer) => block(layer)).flat(),
    ...Object.values(finalWeights).map((spec) => weight(spec, prefix)),
    ...(config.tiedEmbeddings ? [] : [weight(head, '')]),
  ];
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
