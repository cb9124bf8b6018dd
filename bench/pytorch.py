"""The job of `laminar bench MODEL` in PyTorch, to lay beside it; needs torch, and takes transformers where it is installed.

    npx laminar bench MODEL --tokens 256 --json > laminar.json
    python3 bench/pytorch.py MODEL --laminar laminar.json [--device cpu] > pytorch.json
    node bench/compare.js laminar.json pytorch.json

MODEL is a folder. Both sequences of laminar.json run as one batch in float32, with every hidden state and the largest
log-softmax of each position; all states are centred and decomposed by torch.linalg.svdvals. Each way of attention and each
driver of the decomposition is timed: one warm-up, then the fastest of --repeat runs. Before anything is timed, the models
must agree with the golden answers of test/golden. Prints JSON in the layout of `laminar bench --json`, with all ways under
`variants`; `forward` and `spectrum` are the fastest of them. Compare on one machine, and name the device.
"""

import argparse
import datetime
import json
import pathlib
import platform
import sys
import time

import torch

import torch_models as models

GOLDEN = pathlib.Path(__file__).parent.parent / "test" / "golden"
WEIGHTS = pathlib.Path(__file__).parent.parent / "weights"


def settle(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fastest(run, device, repeat):
    """One warm-up, then the least wall and CPU seconds."""
    result = run()
    settle(device)
    wall, cpu = [], []
    for _ in range(repeat):
        before, started = time.process_time(), time.perf_counter()
        result = run()
        settle(device)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - before)
    return result, {"seconds": min(wall), "cpu_seconds": min(cpu)}


def check_golden(device, attentions):
    """Compares the plain models with answers of transformers; raises where a state is off."""
    checked = 0
    for case in sorted(GOLDEN.iterdir()):
        folder = case if (case / "config.json").exists() else WEIGHTS / case.name
        if not (case / "expected.safetensors").exists() or not (folder / "config.json").exists():
            continue
        if not models.has_plain(folder):
            continue
        expected = models.read_safetensors(case / "expected.safetensors")
        model = models.load_plain(folder, device)
        for name in sorted(key[: -len(".ids")] for key in expected if key.endswith(".ids")):
            for attention in attentions:
                ids = expected[f"{name}.ids"].long().reshape(1, -1).to(device)
                states, logits = model(ids, attention)
                for layer, state in enumerate(states):
                    golden = expected[f"{name}.hidden_states"][layer].double()
                    distance = ((state[0].cpu().double() - golden).norm() / golden.norm()).item()
                    if distance > 1e-6 * (layer + 4):
                        raise SystemExit(f"{case.name} {name} {attention}: state {layer} is off by {distance:.2e}")
                worst = (logits[0].log_softmax(-1).amax(-1).cpu() - expected[f"{name}.max_log_softmax"]).abs().max()
                if worst > 1e-4:
                    raise SystemExit(f"{case.name} {name} {attention}: max log-softmax is off by {worst:.2e}")
                checked += 1
    print(f"pytorch: {checked} golden answers agree", file=sys.stderr)
    return checked


def measure_dimensions(states, values, threshold):
    energies = values.double() ** 2
    percents = 100 * energies.cumsum(-1) / energies.sum(-1, keepdim=True)
    tolerance = values[..., :1] * max(states.shape[-2:]) * 2**-23
    dimension = ((percents <= threshold).sum(-1) + 1).clamp(max=values.shape[-1])
    # The states stand in layers, real and shuffled in turn.
    both = lambda numbers: {"real": numbers[0::2].tolist(), "shuffled": numbers[1::2].tolist()}
    return {"effective_dimension": both(dimension), "rank": both((values > tolerance).sum(-1))}


def measure_ceilings(device, repeat):
    size = 2048 if device.type == "cuda" else 512
    a = torch.rand(size, size, device=device)
    source = torch.rand((2**28 if device.type == "cuda" else 2**26) // 4, device=device)
    target = torch.empty_like(source)
    _, product = fastest(lambda: [a @ a for _ in range(8)], device, repeat)
    _, copy = fastest(lambda: target.copy_(source), device, repeat)
    flops = 8 * 2 * size**3 / product["seconds"]
    rate = 8 * source.numel() / copy["seconds"]
    shape = {"rows": size, "inner": size, "columns": size, "dtype": "F32", "layout": "[in, out]", "flops": flops}
    return {"flops": flops, "matrix_products": [shape], "bytes_per_second": rate, "copies": {"command": rate}}


def rate(took, operations, ceilings):
    flops = None if operations is None else operations / took["seconds"]
    part = None if flops is None else flops / ceilings["flops"]
    return {**took, "flops": flops, "of_flops": part, "bytes_per_second": None, "of_bytes": None}


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--laminar", required=True, help="what `laminar bench MODEL --json` printed")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threshold", type=float, default=95)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--plain", action="store_true", help="the plain models, though transformers is installed")
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device(options.device)
    laminar = json.loads(pathlib.Path(options.laminar).read_text())
    ids = torch.tensor([laminar["ids"]["real"], laminar["ids"]["shuffled"]], device=device)
    attentions = ["eager", "sdpa"] if models.HAS_SDPA else ["eager"]
    golden = check_golden(device, attentions)
    try:
        import transformers

        version = None if options.plain else transformers.__version__
    except ImportError:
        version = None

    ceilings = measure_ceilings(device, options.repeat)
    config = models.read_config(options.model)
    forwards, plain = [], models.load_plain(options.model, device)
    for attention in attentions:
        model = models.Transformers(options.model, config, device, attention) if version else plain

        def forward():
            states, logits = model(ids, attention)
            # All logits exist at once here, where Laminar folds them tile by tile.
            return states, logits.log_softmax(-1).amax(-1)

        (states, log_softmax), took = fastest(forward, device, options.repeat)
        forwards.append({"name": attention, **took})

    stacked = torch.stack(states).flatten(0, 1)
    drivers = ["gesvd", "gesvdj", "gesvda"] if device.type == "cuda" else [None]
    spectra = []
    for driver in drivers:
        extra = {} if driver is None else {"driver": driver}
        centred_values = lambda: torch.linalg.svdvals(stacked - stacked.mean(-2, keepdim=True), **extra)
        values, took = fastest(centred_values, device, options.repeat)
        answers = measure_dimensions(stacked, values, options.threshold)
        spectra.append({"name": driver or "LAPACK gesdd", **took, "answers": answers})

    def best(ways):
        return {key: min(ways, key=lambda way: way["seconds"])[key] for key in ("seconds", "cpu_seconds")}

    forward, spectrum = best(forwards), best(spectra)
    measured = laminar["forward"]
    operations = measured["flops"] and measured["flops"] * measured["seconds"]
    is_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_cuda else f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    print(json.dumps({
        "bench": "profile",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "versions": {"torch": torch.__version__, "python": platform.python_version(), "transformers": version, "cuda": torch.version.cuda if is_cuda else None},
        "platform": f"{sys.platform}-{platform.machine()}",
        "adapter": {"vendor": "nvidia" if is_cuda else "", "architecture": device.type, "description": f"PyTorch {torch.__version__} on {name}", "software": not is_cuda},
        "golden_answers_checked": golden,
        "model": {**laminar["model"], "id": pathlib.Path(options.model).resolve().name, "resident": True},
        "tokens": ids.shape[1],
        "ids": laminar["ids"],
        "ceilings": ceilings,
        "repetitions": options.repeat,
        "whole": {key: forward[key] + spectrum[key] for key in forward},
        "forward": {**rate(forward, operations, ceilings), "tokens_per_second": ids.numel() / forward["seconds"]},
        # Its algorithm is another one, with other operations.
        "spectrum": {**rate(spectrum, None, ceilings), "matrices": stacked.shape[0]},
        "kernels": None,
        "answers": {
            "mean_max_log_softmax": dict(zip(("real", "shuffled"), log_softmax.double().mean(-1).tolist())),
            **spectra[0]["answers"],
        },
        "variants": {"forward": forwards, "spectrum": spectra},
    }, indent=2))


if __name__ == "__main__":
    main()
