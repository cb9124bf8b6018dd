// @ts-check
/**
 * GPT-2 as an ONNX model, written by hand: the few messages of onnx.proto that a graph needs, and the graph. Field numbers
 * are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;

/** Protocol-buffer wire format: a message is a list of chunks of bytes. */
class Message {
  /** @type {Uint8Array[]} */
  chunks = [];
  size = 0;

  /** @param {Uint8Array} bytes */
  push(bytes) {
    this.chunks.push(bytes);
    this.size += bytes.length;
    return this;
  }

  /** @param {number} value a whole number that is not negative */
  varint(value) {
    const bytes = [];
    let rest = value;
    while (rest >= 128) {
      bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    return this.push(Uint8Array.of(...bytes, rest));
  }

  /** @param {number} field @param {number} value */
  int(field, value) {
    // A negative int64 takes ten bytes; −1 is the only one here.
    if (value < 0) return this.varint(8 * field).push(Uint8Array.of(...Array(9).fill(255), 1));
    return this.varint(8 * field).varint(value);
  }

  /** @param {number} field @param {number} value */
  float(field, value) {
    return this.varint(8 * field + 5).push(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** @param {number} field @param {Uint8Array} bytes */
  bytes(field, bytes) {
    return this.varint(8 * field + 2)
      .varint(bytes.length)
      .push(bytes);
  }

  /** @param {number} field @param {string} text */
  string(field, text) {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  /** @param {number} field @param {Message} message */
  message(field, message) {
    this.varint(8 * field + 2).varint(message.size);
    for (const chunk of message.chunks) this.push(chunk);
    return this;
  }

  join() {
    const joined = new Uint8Array(this.size);
    let at = 0;
    for (const chunk of this.chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }
}

/** A graph under construction; operations are methods that return the names of what they compute. */
class Graph {
  graph = new Message();
  nodes = 0;
  constants = 0;

  /**
   * @param {string} type
   * @param {readonly string[]} inputs
   * @param {Record<string, number | readonly number[] | string>} [attributes] floats are given as strings
   * @param {{ outputs?: readonly string[], domain?: string }} [options]
   * @returns {string} the first output
   */
  node(type, inputs, attributes = {}, { outputs = [`n${this.nodes}`], domain = '' } = {}) {
    const node = new Message();
    for (const input of inputs) node.string(1, input);
    for (const output of outputs) node.string(2, output);
    node.string(3, `node${this.nodes++}`).string(4, type);
    for (const [name, value] of Object.entries(attributes)) {
      const attribute = new Message().string(1, name);
      if (typeof value === 'string') attribute.float(2, Number(value)).int(20, 1);
      else if (typeof value === 'number') attribute.int(3, value).int(20, 2);
      else {
        for (const item of value) attribute.int(8, item);
        attribute.int(20, 7);
      }
      node.message(5, attribute);
    }
    if (domain) node.string(7, domain);
    this.graph.message(1, node);
    return /** @type {string} */ (outputs[0]);
  }

  /** @param {string} name @param {readonly number[]} shape @param {Float32Array} values */
  weight(name, shape, values) {
    return this.initializer(
      name,
      shape,
      FLOAT,
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
  }

  /** @param {readonly number[]} values */
  integers(values) {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initializer(`integers${this.constants++}`, [values.length], INT64, bytes);
  }

  /** @param {number} value */
  scalar(value) {
    return this.weight(`scalar${this.constants++}`, [], Float32Array.of(value));
  }

  /** @param {string} name @param {readonly number[]} shape @param {number} type @param {Uint8Array} bytes */
  initializer(name, shape, type, bytes) {
    const tensor = new Message();
    for (const extent of shape) tensor.int(1, extent);
    this.graph.message(5, tensor.int(2, type).string(8, name).bytes(9, bytes));
    return name;
  }

  /** @param {11 | 12} field input or output @param {string} name @param {number} type @param {readonly number[]} shape */
  value(field, name, type, shape) {
    const dimensions = new Message();
    for (const extent of shape) dimensions.message(1, new Message().int(1, extent));
    const tensor = new Message().int(1, type).message(2, dimensions);
    this.graph.message(field, new Message().string(1, name).message(2, new Message().message(1, tensor)));
  }

  model() {
    const opset = (/** @type {string} */ domain, /** @type {number} */ version) =>
      new Message().string(1, domain).int(2, version);
    return new Message()
      .int(1, 8)
      .message(7, this.graph.string(2, 'gpt2'))
      .message(8, opset('', 17))
      .message(8, opset('com.microsoft', 1))
      .join();
  }
}

/**
 * GPT-2 with input `ids` int32 [B, T] and outputs `state0` … `stateL` [B, T, d] and `max_log_softmax` [B, T, 1].
 * @param {import('./checkpoint.js').Checkpoint} checkpoint
 * @param {number} B
 * @param {number} T
 * @returns {Uint8Array}
 */
export function gpt2Model({ config, tensors }, B, T) {
  const { n_embd: d, n_head: heads, n_layer: layers, vocab_size: vocabulary } = config;
  const width = d / heads;
  const graph = new Graph();
  const weight = (/** @type {string} */ name) => {
    const { shape, values } = tensors(name);
    return graph.weight(name, shape, values);
  };
  const norm = (/** @type {string} */ x, /** @type {string} */ at, output = '') =>
    graph.node(
      'LayerNormalization',
      [x, weight(`${at}.weight`), weight(`${at}.bias`)],
      { axis: -1, epsilon: String(config.layer_norm_epsilon) },
      output ? { outputs: [output] } : {},
    );
  const linear = (/** @type {string} */ x, /** @type {string} */ at) =>
    graph.node('Add', [graph.node('MatMul', [x, weight(`${at}.weight`)]), weight(`${at}.bias`)]);
  const headsApart = graph.integers([B, T, heads, width]);
  const headsTogether = graph.integers([B, T, d]);
  const thirds = graph.integers([d, d, d]);
  const scale = graph.scalar(1 / Math.sqrt(width));
  const hidden = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -3e38 : 0));
  const mask = graph.weight('mask', [T, T], hidden);

  graph.value(11, 'ids', INT32, [B, T]);
  const positions = graph.weight('positions', [T, d], tensors('wpe.weight').values.slice(0, T * d));
  let x = graph.node(
    'Add',
    [graph.node('Gather', [weight('wte.weight'), 'ids']), positions],
    {},
    { outputs: ['state0'] },
  );
  for (let layer = 0; layer < layers; layer++) {
    const at = `h.${layer}`;
    const parts = ['q', 'k', 'v'].map((part) => `${part}${layer}`);
    graph.node(
      'Split',
      [linear(norm(x, `${at}.ln_1`), `${at}.attn.c_attn`), thirds],
      { axis: -1 },
      { outputs: parts },
    );
    const [q, k, v] = /** @type {[string, string, string]} */ (
      parts.map((part, index) =>
        graph.node('Transpose', [graph.node('Reshape', [part, headsApart])], {
          perm: index === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3],
        }),
      )
    );
    const scores = graph.node('Add', [graph.node('Mul', [graph.node('MatMul', [q, k]), scale]), mask]);
    const attended = graph.node('MatMul', [graph.node('Softmax', [scores], { axis: -1 }), v]);
    const together = graph.node('Reshape', [
      graph.node('Transpose', [attended], { perm: [0, 2, 1, 3] }),
      headsTogether,
    ]);
    const middle = graph.node('Add', [x, linear(together, `${at}.attn.c_proj`)]);
    // FastGelu is the tanh form.
    const inner = graph.node(
      'FastGelu',
      [linear(norm(middle, `${at}.ln_2`), `${at}.mlp.c_fc`)],
      {},
      { domain: 'com.microsoft' },
    );
    const isLast = layer === layers - 1;
    const outputs = isLast ? {} : { outputs: [`state${layer + 1}`] };
    x = graph.node('Add', [middle, linear(inner, `${at}.mlp.c_proj`)], {}, outputs);
  }
  const final = norm(x, 'ln_f', `state${layers}`);
  const table = tensors('wte.weight').values;
  const turned = new Float32Array(table.length);
  for (let token = 0; token < vocabulary; token++)
    for (let i = 0; i < d; i++) turned[i * vocabulary + token] = table[token * d + i] ?? 0;
  const logits = graph.node('MatMul', [final, graph.weight('head', [d, vocabulary], turned)]);
  // max − logsumexp = −ln Σ exp(logit − max); LogSoftmax would run on the CPU.
  const most = graph.node('ReduceMax', [logits], { axes: [-1], keepdims: 1 });
  const parts = graph.node('Exp', [graph.node('Sub', [logits, most])]);
  const sum = graph.node('ReduceSum', [parts, graph.integers([-1])], { keepdims: 1 });
  graph.node('Neg', [graph.node('Log', [sum])], {}, { outputs: ['max_log_softmax'] });
  for (let layer = 0; layer <= layers; layer++) graph.value(12, `state${layer}`, FLOAT, [B, T, d]);
  graph.value(12, 'max_log_softmax', FLOAT, [B, T, 1]);
  return graph.model();
}
