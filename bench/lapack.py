"""How close singular values come to float64: Laminar's, and those of LAPACK in float32; needs numpy and scipy.

    python3 bench/lapack.py [--laminar "node dist/node/main.js"] > lapack.md

Matrices of several kinds, all of one seed, and hidden states from test/golden are written as float32 .npy files. Each is
decomposed three times from the same file: by `laminar spectrum`, and by LAPACK's sgesdd (what numpy, scipy and PyTorch take
unless told otherwise) and sgesvd, for which the columns are centred in float64 and rounded. The truth is float64 from the
centring on. Prints a table in Markdown: the median and the largest error by size of σ, relative to each σ above the rank
tolerance σ₁ · max(T, d) · 2⁻²³, and relative to σ₁ below it.
"""

import argparse
import json
import pathlib
import platform
import shlex
import struct
import subprocess
import tempfile

import numpy as np
import scipy
import scipy.linalg

GOLDEN = pathlib.Path(__file__).parent.parent / "test" / "golden"
SIZES = [("1 to 1e-2", 1e-2), ("1e-2 to 1e-4", 1e-4), ("1e-4 to tolerance", 0.0)]


def orthonormal(random, rows, columns):
    return np.linalg.qr(random.standard_normal((rows, columns)))[0]


def with_values(random, rows, values):
    """A matrix whose columns have mean 0 and whose singular values are these, before rounding."""
    left = random.standard_normal((rows, len(values)))
    left = np.linalg.qr(left - left.mean(axis=0))[0]
    return (left * values) @ orthonormal(random, len(values), len(values)).T


def made(random):
    """Name and float64 matrices of each kind."""
    normal = random.standard_normal
    shapes = [(64, 64), (300, 100), (256, 256)]
    yield "random", [normal(shape) for shape in shapes]
    yield "geometric, 1 to 1e-6", [with_values(random, t + 1, np.geomspace(1, 1e-6, d)) for t, d in shapes]
    yield "clustered", [with_values(random, t + 1, np.repeat([1, 1e-2, 1e-4, 1e-5], d // 4)) for t, d in shapes]
    yield "columns scaled, 1 to 1e-6", [normal((t, d)) * np.geomspace(1, 1e-6, d) for t, d in shapes]
    yield "rows scaled, 1 to 1e-6", [normal((t, d)) * np.geomspace(1, 1e-6, t)[:, None] for t, d in shapes]
    yield "rank a quarter, and noise 1e-5", [
        normal((t, d // 4)) @ normal((d // 4, d)) + 1e-5 * normal((t, d)) for t, d in shapes
    ]
    massive = [normal(shape) for shape in shapes]
    for matrix in massive:
        matrix[0, :2] = [3000, -800]  # one token has huge numbers in two dimensions, as real models' first tokens have
        matrix[:, 5] += 40
    yield "massive activations", massive


def states():
    """Name and float32 matrices of each golden model: its hidden states of the first sequence."""
    for name in ["alice-gpt2", "alice-pythia", "gpt2-massive"]:
        raw = (GOLDEN / name / "expected.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        key = next(key for key in header if key.endswith(".hidden_states"))
        begin, end = header[key]["data_offsets"]
        array = np.frombuffer(raw[8 + length + begin : 8 + length + end], np.float32)
        yield f"states of {name}", list(array.reshape(header[key]["shape"]))


def lapack(matrix, driver):
    centred = (matrix - matrix.mean(axis=0, dtype=np.float64)).astype(np.float32)
    return scipy.linalg.svd(centred, compute_uv=False, lapack_driver=driver).astype(np.float64)


def truth(matrix):
    wide = matrix.astype(np.float64)
    return np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False)


def sizes_of(values, shape):
    """A mask for each range of σ, the last one below the rank tolerance."""
    tolerance = values[0] * max(shape) * 2.0**-23
    above = values > tolerance
    upper = np.inf
    for name, bound in SIZES:
        share = values / values[0]
        yield name, above & (share > bound) & (share <= upper)
        upper = bound
    yield "below the tolerance", ~above


def shown(errors):
    return f"{np.median(errors):.1e} / {errors.max():.1e}".replace("e-0", "e-")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laminar", default="node dist/node/main.js", help="the command to compare")
    parser.add_argument("--seed", type=int, default=28)
    arguments = parser.parse_args()
    kinds = [(name, [m.astype(np.float32) for m in ms]) for name, ms in made(np.random.default_rng(arguments.seed))]
    kinds += list(states())
    matrices = [matrix for _, ms in kinds for matrix in ms]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for index, matrix in enumerate(matrices):
            files.append(f"{folder}/{index}.npy")
            np.save(files[-1], matrix)
        command = [*shlex.split(arguments.laminar), "spectrum", *files, "--json"]
        answers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        doctor = [*shlex.split(arguments.laminar), "doctor", "--json"]
        adapter = json.loads(subprocess.run(doctor, check=True, capture_output=True, text=True).stdout)["adapter"]
    ours = iter(np.array(answer["singular_values"]) for answer in answers)
    print(f"Laminar on {adapter['description']}; numpy {np.__version__}, scipy {scipy.__version__} on {platform.machine()}.")
    print("\n| matrices | σ / σ₁ | values | Laminar | sgesdd | sgesvd |\n| --- | --- | --- | --- | --- | --- |")
    for name, ms in kinds:
        errors = {}
        for matrix in ms:
            right = truth(matrix)
            found = [next(ours), lapack(matrix, "gesdd"), lapack(matrix, "gesvd")]
            for size, mask in sizes_of(right, matrix.shape):
                scale = right[0] if size.startswith("below") else right[mask]
                parts = [np.abs(values[mask] - right[mask]) / scale for values in found]
                errors.setdefault(size, []).append(np.array(parts))
        for size, parts in errors.items():
            joined = np.concatenate(parts, axis=1)
            if joined.shape[1] > 0:
                print(f"| {name} | {size} | {joined.shape[1]} | {' | '.join(shown(row) for row in joined)} |")


if __name__ == "__main__":
    main()
