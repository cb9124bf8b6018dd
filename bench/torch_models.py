"""GPT-2 and GPT-NeoX in plain PyTorch, straight from safetensors: for machines without transformers.

Both compute what transformers computes with output_hidden_states=True: L+1 states, the last one after the final norm.
Attention is "eager" (scores, mask, softmax) or "sdpa" (PyTorch 2's scaled_dot_product_attention).
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I32": torch.int32, "I64": torch.int64, "BOOL": torch.bool, "U8": torch.uint8}
ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_new": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": F.relu,
}
ACTIVATIONS["gelu_fast"] = ACTIVATIONS["gelu_pytorch_tanh"] = ACTIVATIONS["gelu_new"]
HAS_SDPA = hasattr(F, "scaled_dot_product_attention")


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in DTYPES:
            continue
        begin, end = entry["data_offsets"]
        raw = bytearray(data[8 + length + begin : 8 + length + end])
        tensor = torch.frombuffer(raw, dtype=DTYPES[entry["dtype"]]) if raw else torch.empty(0)
        tensors[name] = tensor.reshape(entry["shape"])
    return tensors


class Weights:
    """A checkpoint's tensors in float32, with or without the prefix of the base model."""

    def __init__(self, folder, prefix, device):
        self.tensors = {}
        for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
            if path.name != "expected.safetensors":
                self.tensors.update(read_safetensors(path))
        self.prefix = prefix if any(name.startswith(prefix) for name in self.tensors) else ""
        self.device = device
        self.kept = {}

    def __call__(self, name):
        return self.whole(self.prefix + name)

    def whole(self, name):
        if name not in self.kept:
            self.kept[name] = self.tensors[name].to(self.device, torch.float32).contiguous()
        return self.kept[name]

    def head(self, name, embedding):
        return self.whole(name) if name in self.tensors else self(embedding)


def attend(query, key, value, scale, attention):
    """Causal attention of [B, heads, T, width]."""
    if attention == "sdpa":
        # Scores are divided by sqrt(width) there.
        return F.scaled_dot_product_attention(query * (scale * math.sqrt(query.shape[-1])), key, value, is_causal=True)
    scores = query @ key.transpose(-1, -2) * scale
    tokens = query.shape[-2]
    mask = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) @ value


class Gpt2:
    def __init__(self, folder, config, device):
        self.config, self.weights = config, Weights(folder, "transformer.", device)

    def __call__(self, ids, attention):
        w, c = self.weights, self.config
        width, heads, layers = c["n_embd"], c["n_head"], c["n_layer"]
        eps, activation = c.get("layer_norm_epsilon", 1e-5), ACTIVATIONS[c.get("activation_function", "gelu_new")]
        norm = lambda x, name: F.layer_norm(x, (width,), w(name + ".weight"), w(name + ".bias"), eps)
        conv = lambda x, name: torch.addmm(w(name + ".bias"), x.reshape(-1, x.shape[-1]), w(name + ".weight")).view(*x.shape[:-1], -1)
        split = lambda x: x.view(*x.shape[:-1], heads, width // heads).transpose(1, 2)
        x = w("wte.weight")[ids] + w("wpe.weight")[torch.arange(ids.shape[1], device=ids.device)]
        states = [x]
        for layer in range(layers):
            at = f"h.{layer}."
            scale = 1 / math.sqrt(width // heads) if c.get("scale_attn_weights", True) else 1.0
            scale /= layer + 1 if c.get("scale_attn_by_inverse_layer_idx", False) else 1
            q, k, v = (split(part) for part in conv(norm(x, at + "ln_1"), at + "attn.c_attn").split(width, -1))
            x = x + conv(attend(q, k, v, scale, attention).transpose(1, 2).reshape(x.shape), at + "attn.c_proj")
            x = x + conv(activation(conv(norm(x, at + "ln_2"), at + "mlp.c_fc")), at + "mlp.c_proj")
            states.append(x)
        states[-1] = norm(x, "ln_f")
        return states, states[-1] @ w.head("lm_head.weight", "wte.weight").T


class GptNeoX:
    def __init__(self, folder, config, device):
        self.config, self.weights = config, Weights(folder, "gpt_neox.", device)

    def rotate(self, x, cosines, sines, dimensions):
        turned, rest = x[..., :dimensions], x[..., dimensions:]
        low, high = turned.chunk(2, -1)
        return torch.cat([turned * cosines + torch.cat([-high, low], -1) * sines, rest], -1)

    def __call__(self, ids, attention):
        w, c = self.weights, self.config
        width, heads, layers = c["hidden_size"], c["num_attention_heads"], c["num_hidden_layers"]
        eps, activation = c.get("layer_norm_eps", 1e-5), ACTIVATIONS[c.get("hidden_act", "gelu")]
        rope = c.get("rope_parameters") or {}
        head_width = width // heads
        dimensions = int(head_width * rope.get("partial_rotary_factor", c.get("rotary_pct", 0.25)))
        base = rope.get("rope_theta", c.get("rotary_emb_base", 10000))
        norm = lambda x, name: F.layer_norm(x, (width,), w(name + ".weight"), w(name + ".bias"), eps)
        linear = lambda x, name: F.linear(x, w(name + ".weight"), w(name + ".bias"))
        frequencies = 1 / base ** (torch.arange(0, dimensions, 2, device=ids.device).float() / dimensions)
        angles = torch.arange(ids.shape[1], device=ids.device).float()[:, None] * frequencies
        cosines, sines = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
        x = w("embed_in.weight")[ids]
        states = [x]
        for layer in range(layers):
            at = f"layers.{layer}."
            qkv = linear(norm(x, at + "input_layernorm"), at + "attention.query_key_value")
            q, k, v = qkv.view(*qkv.shape[:-1], heads, 3 * head_width).transpose(1, 2).split(head_width, -1)
            q, k = (self.rotate(part, cosines, sines, dimensions) for part in (q, k))
            attended = attend(q, k, v, 1 / math.sqrt(head_width), attention).transpose(1, 2).reshape(x.shape)
            attended = linear(attended, at + "attention.dense")
            mlp = lambda y: linear(activation(linear(norm(y, at + "post_attention_layernorm"), at + "mlp.dense_h_to_4h")), at + "mlp.dense_4h_to_h")
            x = x + attended + mlp(x) if c.get("use_parallel_residual", True) else (lambda y: y + mlp(y))(x + attended)
            states.append(x)
        states[-1] = norm(x, "final_layer_norm")
        return states, states[-1] @ w.head("embed_out.weight", "embed_in.weight").T


class Transformers:
    """The same through transformers, where it is installed."""

    def __init__(self, folder, config, device, attention):
        from transformers import AutoModelForCausalLM

        # torch_dtype is the name that older and newer transformers know.
        self.model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation=attention).to(device).eval()

    def __call__(self, ids, attention):
        output = self.model(ids, output_hidden_states=True, use_cache=False)
        return list(output.hidden_states), output.logits


PLAIN = {"gpt2": Gpt2, "gpt_neox": GptNeoX}


def read_config(folder):
    return json.loads((pathlib.Path(folder) / "config.json").read_text())


def has_plain(folder):
    return read_config(folder)["model_type"] in PLAIN


def load_plain(folder, device):
    config = read_config(folder)
    family = config["model_type"]
    if family not in PLAIN:
        raise SystemExit(f"{folder}: there is no plain model of the family {family}; give one of {', '.join(PLAIN)}")
    return PLAIN[family](folder, config, device)
