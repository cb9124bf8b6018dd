import { afterEach, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/node/index.ts';
import type { LoadedModel } from '../../src/engine/loaded-model.ts';
import type { LogitsTile } from '../../src/engine/log-softmax.ts';

/**
 * Values of published checkpoints that other projects' own tests assert. They need the hub, and up to 6.5 GB a model:
 * LAMINAR_NETWORK=1 npm run test:network
 */
const hasNetwork = process.env.LAMINAR_NETWORK === '1';

const END_OF_TEXT = 50256;
const FRANCE = 'The capital city of France is';

let model: LoadedModel | undefined;
afterEach(() => {
  model?.dispose();
  model = undefined;
});

async function load(id: string): Promise<LoadedModel> {
  return (model = await loadModel(id));
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function norm(values: Float32Array): number {
  return Math.hypot(...values);
}

/** The loss of a sequence, in nats a token. */
async function loss(of: LoadedModel, ids: ArrayLike<number>): Promise<number> {
  return mean((await of.run(ids, { loss: true })).loss!);
}

/** Whether the model, given a prompt and its continuation, names each token of the continuation itself. */
async function continues(of: LoadedModel, prompt: string, continuation: string): Promise<boolean> {
  const before = of.tokenize(prompt).length;
  const ids = of.tokenize(prompt + continuation);
  const { argmax } = await of.run(ids);
  return ids.subarray(before).every((id, place) => argmax![before + place - 1] === id);
}

/** The last position of a text: entropy of the next token in nats, the likeliest token, and the norms of blocks' outputs. */
async function lastPosition(of: LoadedModel, text: string) {
  const ids = of.tokenize(text);
  const last = ids.length - 1;
  const logits = new Float64Array(of.config.vocabulary);
  const { activations } = await of.model.run([ids], {
    capture: ['blocks.*.hook_resid_post'],
    onLogits: ({ firstToken, tokens, values }: LogitsTile) => {
      logits.set(values.subarray(last * tokens, (last + 1) * tokens), firstToken);
    },
  });
  const largest = logits.reduce((max, logit) => Math.max(max, logit));
  const shifted = logits.map((logit) => Math.exp(logit - largest));
  const total = shifted.reduce((sum, value) => sum + value);
  const probabilities = shifted.map((value) => value / total);
  const likeliest = probabilities.reduce((max, probability) => Math.max(max, probability));
  const normOf = (layer: number) => {
    const { values } = activations.get(`blocks.${layer}.hook_resid_post`)!;
    return norm(values.subarray(last * of.config.width, ids.length * of.config.width));
  };
  return {
    entropy: probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0),
    probability: likeliest,
    token: of.decode([probabilities.indexOf(likeliest)]),
    normOf,
  };
}

/** @returns the state after the final norm, [T, width] */
async function finalState(of: LoadedModel, ids: readonly number[]): Promise<Float32Array> {
  const { activations } = await of.run(ids, { capture: ['ln_final.hook_out'] });
  return activations['ln_final.hook_out']!.values;
}

describe.skipIf(!hasNetwork)('published values (LAMINAR_NETWORK=1 runs them)', () => {
  it('gpt2: the last hidden state of "Hello world" (raven, kaun)', async () => {
    const gpt2 = await load('gpt2');
    const expected = [
      -9.088777005672455e-6, -0.14020976424217224, -0.20845119655132294, -0.028111519291996956,
      -0.09017819911241531, -0.19850760698318481, 4.072483062744141, -0.24899107217788696,
      -0.17168566584587097, -0.01689625345170498,
    ];
    expect([...gpt2.tokenize('Hello world')]).toEqual([15496, 995]);
    const state = await finalState(gpt2, [15496, 995]);
    for (const [place, value] of expected.entries())
      expect(Math.abs(state[place]! - value)).toBeLessThan(1e-4);
  });

  it('gpt2: the last hidden state of five ids (keras_nlp)', async () => {
    const state = await finalState(await load('gpt2'), [1169, 2068, 7586, 21831, 13]);
    for (const [place, value] of [-0.1116, -0.0375, -0.2624, 0.00891, -0.0061].entries())
      expect(Math.abs(state[place]! - value)).toBeLessThan(0.01);
  });

  it('gpt2: continuations that it names itself (transformers)', async () => {
    const gpt2 = await load('gpt2');
    const ids = [
      464, 3290, 373, 1043, 287, 257, 2214, 1474, 262, 16246, 286, 2688, 290, 2688, 27262, 13, 198, 198, 464,
      3290,
    ];
    const { argmax } = await gpt2.run(ids);
    expect([...argmax!.subarray(1, -1)]).toEqual(ids.slice(2));
    const dog = " bit of a mess. I'm not sure if he's going";
    expect(await continues(gpt2, 'Hello, my dog is a little', dog)).toBe(true);
    expect(await continues(gpt2, 'Today, I', "'m going to be doing a lot of research on this. I")).toBe(true);
  });

  it('gpt2: losses after the token that begins a text, and without one head (TransformerLens)', async () => {
    const gpt2 = await load('gpt2');
    const begun = (text: string) => [END_OF_TEXT, ...gpt2.tokenize(text)];
    expect(Math.abs((await loss(gpt2, begun('Hello world!'))) - 5.331855773925781)).toBeLessThan(4e-5);
    const sentence = begun(
      'Natural language processing tasks, such as question answering, machine translation, reading comprehension, and summarization, are typically approached with supervised learning on taskspecific datasets.',
    );
    expect(Math.abs((await loss(gpt2, sentence)) - 3.999)).toBeLessThan(0.01);
    const ablated = await gpt2.run(sentence, {
      loss: true,
      edits: [{ at: 'blocks.0.attn.hook_z', op: 'zero', heads: [8] }],
    });
    expect(Math.abs(mean(ablated.loss!) - 4.117)).toBeLessThan(0.01);
  });

  it('gpt2: the massive feature of the first token, layer by layer (bluorion)', async () => {
    const gpt2 = await load('gpt2');
    const { activations } = await gpt2.run('Alice was beginning to get very tired of sitting by her sister', {
      capture: ['blocks.*.hook_resid_post'],
    });
    const sizes = [2480, 2656, 2800, 2896, 2960, 2992, 3008, 3024, 3024];
    for (const [index, size] of sizes.entries()) {
      const { values } = activations[`blocks.${index + 2}.hook_resid_post`]!;
      expect(Math.abs(Math.abs(values[447]!) - size), `state ${index + 3}`).toBeLessThanOrEqual(16);
    }
  });

  it('gpt2: losses of tiny Shakespeare (llm.c)', async () => {
    const gpt2 = await load('gpt2');
    const address =
      'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt';
    const sections = (await (await fetch(address)).text()).split('\n\n');
    const ids = sections.flatMap((section, place) => [
      END_OF_TEXT,
      ...gpt2.tokenize(place < sections.length - 1 ? `${section}\n\n` : section),
    ]);
    const lossFrom = async (first: number) => {
      const losses: number[] = [];
      for (let row = 0; row < 4; row++) {
        // Each row predicts the token after its last one, too.
        const start = first + 64 * row;
        losses.push(await loss(gpt2, ids.slice(start, start + 65)));
      }
      return losses.reduce((sum, value) => sum + value) / 4;
    };
    expect(Math.abs((await lossFrom(0)) - 5.270007133483887)).toBeLessThan(1e-4);
    expect(Math.abs((await lossFrom(32768)) - 5.356189)).toBeLessThan(1e-4);
  });

  it.each([
    [
      'gpt2-medium',
      FRANCE,
      5.952868863595818,
      ' the',
      0.06975457911624777,
      1.0807882868313592,
      7.403365829831194,
    ],
    [
      'gpt2-large',
      FRANCE,
      5.509365215864677,
      ' home',
      0.0753666139637995,
      1.0162074853005587,
      19.120291261959096,
    ],
    [
      'gpt2-xl',
      FRANCE,
      5.387718175195759,
      ' the',
      0.09879097626511388,
      1.004626809782079,
      25.023097335620037,
    ],
    [
      'gpt2-xl',
      'The atomic number of oxygen is',
      4.629468734603852,
      ' 1',
      0.10680879028550755,
      1.069378718131835,
      18.11920080271079,
    ],
    [
      'gpt2-xl',
      'The currency used in Japan is',
      2.033446615024385,
      ' the',
      0.46280285437680463,
      1.004205119821513,
      28.161894856920874,
    ],
  ])(
    '%s: what comes after "%s" (buk81)',
    async (id, text, entropy, token, probability, lastRatio, growth) => {
      const large = await load(id);
      const found = await lastPosition(large, text);
      const last = large.config.layers - 1;
      expect(found.token).toBe(token);
      expect(found.entropy).toBeCloseTo(entropy, 3);
      expect(found.probability).toBeCloseTo(probability, 4);
      expect(found.normOf(last) / found.normOf(last - 1)).toBeCloseTo(lastRatio, 3);
      expect(found.normOf(last) / found.normOf(0)).toBeCloseTo(growth, 2);
    },
  );

  it('pythia-70m: the loss of a greeting (TransformerLens)', async () => {
    const pythia = await load('EleutherAI/pythia-70m');
    const ids = [0, ...pythia.tokenize('Hello world!')];
    expect(Math.abs((await loss(pythia, ids)) - 4.659344673156738)).toBeLessThan(4e-5);
  });

  it('pythia-70m: logits around a thousand (transformers, in float16, whose grid is 1 there)', async () => {
    const pythia = await load('EleutherAI/pythia-70m');
    const ids = Int32Array.of(29, 93, 303, 64, 5478, 49651, 10394, 187, 34, 12939, 875);
    const expected = [
      1069, 228.75, 1072, 1072, 1069, 1068, 1068, 1071, 1071, 1071, 1073, 1070, 1071, 1075, 1073, 1075, 1074,
      1069, 1072, 1071, 1071, 1071, 1070, 1069, 1069, 1069, 1070, 1075, 1073, 1074,
    ];
    const logits: number[] = [];
    await pythia.model.run([ids], {
      onLogits: ({ firstToken, tokens, values }) => {
        if (firstToken === 0) logits.push(...values.subarray((ids.length - 1) * tokens).subarray(0, 30));
      },
    });
    for (const [place, value] of expected.entries())
      expect(Math.abs(logits[place]! - value), `token ${place}`).toBeLessThan(2);
  });

  it('pythia-410m-deduped: a continuation that it names itself (transformers)', async () => {
    const pythia = await load('EleutherAI/pythia-410m-deduped');
    const food = " a good old-fashioned, old-fashioned, old-fashioned.\n\nI'm not sure";
    expect(await continues(pythia, 'My favorite food is', food)).toBe(true);
  });
});
