"""The job of `laminar profile` in PyTorch, for people who want to compare; needs torch and transformers.

    python bench/pytorch.py MODEL --ids ids.json [--device cuda] [--threshold 95] [--seed 28] [--repeat 3]

MODEL is a folder or a hub id; ids.json holds token ids as `laminar profile --ids` takes them. Both sequences (the ids,
and a permutation of them unless the file gives one) run as one batch in float32; every hidden state is centred and
decomposed by a float32 SVD. Prints JSON: seconds of the fastest of --repeat runs, and effective dimension and rank of
each layer. Compare on the same machine, with the same ids, and name the device.
"""

import argparse
import json
import time

import torch
from transformers import AutoModelForCausalLM


def read_sequences(path, seed):
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    if isinstance(given, dict):
        return torch.tensor([given["real"], given["shuffled"]])
    real = torch.tensor(given)
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
    return torch.stack([real, real[order]])


def settle(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def run_forward(model, sequences):
    output = model(sequences, output_hidden_states=True, use_cache=False)
    # All logits exist at once here, where Laminar folds them tile by tile.
    return output.hidden_states, output.logits.log_softmax(-1).amax(-1)


@torch.inference_mode()
def measure_layer(states, threshold):
    centred = states - states.mean(dim=-2, keepdim=True)
    values = torch.linalg.svdvals(centred)
    energies = values.double() ** 2
    percents = 100 * energies.cumsum(-1) / energies.sum(-1, keepdim=True)
    tolerance = values[..., :1] * max(states.shape[-2:]) * 2**-23
    return {
        "effective_dimension": ((percents <= threshold).sum(-1) + 1).tolist(),
        "rank": (values > tolerance).sum(-1).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--ids", required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threshold", type=float, default=95)
    parser.add_argument("--seed", type=int, default=28)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(options.device)
    started = time.perf_counter()
    # torch_dtype is the name that older and newer transformers know.
    model = AutoModelForCausalLM.from_pretrained(options.model, torch_dtype=torch.float32).to(device).eval()
    load = time.perf_counter() - started
    sequences = read_sequences(options.ids, options.seed).to(device)

    forward, spectrum = [], []
    for _ in range(options.repeat):
        settle(device)
        started = time.perf_counter()
        hidden_states, max_log_softmax = run_forward(model, sequences)
        settle(device)
        forward.append(time.perf_counter() - started)
        started = time.perf_counter()
        layers = [measure_layer(states, options.threshold) for states in hidden_states]
        settle(device)
        spectrum.append(time.perf_counter() - started)

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    answer = {
        "torch": torch.__version__,
        "device": name,
        "model": options.model,
        "tokens": sequences.shape[1],
        "seconds": {"load": load, "forward": min(forward), "spectrum": min(spectrum)},
        "tokens_per_second": sequences.numel() / min(forward),
        "mean_max_log_softmax": max_log_softmax.mean(-1).tolist(),
        # Real, then shuffled, for each layer.
        "layers": layers,
    }
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
