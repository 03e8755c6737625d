#!/usr/bin/env python3
"""One training step (forward, backward, clipping, AdamW) of Sensorium against the same network in PyTorch.

    python3 tools/bench/compare_training.py build/sensorium --rounds 7 --threads 2

`sensorium bench --trace` writes the initial weights, the batch and its first ten losses; torch_training.py loads them into
the same network and takes the same steps. The losses must agree, or nothing is timed and the exit status is 1. Then every
round times each variant once, in turn, so that a slow minute of the machine meets all of them. Prints Markdown, or JSON.

Each PyTorch variant is a process of its own (peak memory) that lives through all rounds and sleeps while others run; its C
library keeps freed memory (MALLOC_* below), which saves PyTorch a page fault per 4 KB and step. Needs a Python with torch,
numpy and safetensors (--python, default: this one) and, for the compiled variants, a C++ compiler.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = {"decoder17m": "tokens/s", "vit_s16": "images/s"}
VARIANTS = ["f32", "bf16", "f32 compiled", "bf16 compiled"]
STEPS = 10
# Limits of the relative difference from PyTorch's f32 run, over all steps: (losses, gradient norms). bf16 keeps 8 significant
# bits: neighbouring numbers differ by up to 2^-7. A loss is the mean over many roundings and stays below one such difference,
# also after ten updates; PyTorch's own bf16 runs come to 1.3 % where the loss falls fastest, and the norm of the gradients, a
# sum of squares, to 1.6 %. Sensorium may besides be no further away than twice PyTorch's bf16 run of the same network: that
# finds, on the decoder, a missing clip, another beta2, another rotary base or a learning rate 5 % off.
LIMIT, TORCH_BF16_LIMIT, TORCH_F32_LIMIT = (2.0**-7, 2.0**-5), (2.0**-6, 2.0**-5), (1e-4, 1e-3)
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_TOP_PAD_": str(1 << 26)}


class Worker:
    """A PyTorch variant. `error` says why it failed, then it answers None."""

    def __init__(self, python, trace, variant, threads):
        self.error = None
        self.stderr = tempfile.TemporaryFile("w+")
        environment = os.environ | TUNED | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        script = str(Path(__file__).with_name("torch_training.py"))
        self.process = subprocess.Popen([python, script, str(trace), variant, "--threads", str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, env=environment)

    def ask(self, command):
        if self.error:
            return None
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, json.JSONDecodeError):
            self.process.wait()
            self.stderr.seek(0)
            lines = [line for line in self.stderr.read().splitlines() if line.strip()]
            self.error = lines[-1] if lines else f"exit status {self.process.returncode}"
            return None

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        self.process.wait()


def sensorium(binary, *arguments):
    done = subprocess.run([binary, "bench", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{binary} bench {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def largest_difference(values, reference):
    """Relative, over all steps; a NaN counts as infinite."""
    if len(values) != len(reference):
        return math.inf
    differences = [abs(a - b) / abs(b) for a, b in zip(values, reference)]
    return math.inf if any(math.isnan(d) for d in differences) else max(differences)


def compare_losses(ours, torch_runs):
    """Rows of (variant, differences, limits), each of (losses, gradient norms), all against PyTorch f32."""
    def differences(run):
        return tuple(largest_difference(run[key], torch_runs["f32"][key]) for key in ("losses", "grad_norms"))

    noise = differences(torch_runs["bf16"])
    rows = [("sensorium bf16", differences(ours), tuple(min(limit, 2 * n) for limit, n in zip(LIMIT, noise)))]
    for variant, run in torch_runs.items():
        rows.append((f"torch {variant}", differences(run), TORCH_BF16_LIMIT if "bf16" in variant else TORCH_F32_LIMIT))
    return rows


def quantile(values, share):
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]


def print_losses(case, ours, torch_runs, rows):
    names = ["sensorium bf16", *(f"torch {v}" for v in torch_runs)]
    runs = [ours, *torch_runs.values()]
    print(f"\n### {case}: losses\n")
    print("| step | " + " | ".join(names) + " |\n|---:|" + "---:|" * len(names))
    for step in range(STEPS):
        print(f"| {step + 1} | " + " | ".join(f"{run['losses'][step]:.5f}" for run in runs) + " |")
    print("\nLargest relative difference from torch f32 in ten steps (limits):")
    for variant, found, limits in rows:
        print(f"- {variant}: losses {found[0]:.1e} ({limits[0]:.1e}), gradient norms {found[1]:.1e} ({limits[1]:.1e})")
    sys.stdout.flush()


def measure(case, options, folder):
    """Returns everything about one network as a dictionary."""
    trace = folder / case
    sensorium(options.binary, "--filter", f"^train/{case}$", "--trace", str(folder), "--threads", str(options.threads))
    ours = json.loads(trace.with_suffix(".json").read_text())
    workers = {v: Worker(options.python, trace, v, options.threads) for v in options.variants}
    try:
        torch_runs = {v: worker.ask(f"losses {STEPS}") for v, worker in workers.items()}
        failed = {v: worker.error for v, worker in workers.items() if worker.error}
        for variant in {"f32", "bf16"} & set(failed):
            sys.exit(f"PyTorch {variant} failed: {failed[variant]}")
        torch_runs = {v: run for v, run in torch_runs.items() if run}
        rows = compare_losses(ours, torch_runs)
        if not options.json:
            print_losses(case, ours, torch_runs, rows)
        wrong = [row for row in rows if any(found > limit for found, limit in zip(row[1], row[2]))]
        if wrong:
            print(f"{case}: too far from torch f32: {', '.join(row[0] for row in wrong)}", file=sys.stderr)
            sys.exit(1)

        samples = {"sensorium bf16": [], **{v: [] for v in torch_runs}}
        order = list(samples)
        for round_ in range(options.rounds):
            for variant in order[round_ % len(order):] + order[:round_ % len(order)]:
                if variant in workers:
                    workers[variant].ask("time 1")  # wakes its threads and caches
                    answer = workers[variant].ask(f"time {options.steps}")
                    samples[variant] += answer["ms"] if answer else []
                else:
                    report = json.loads(sensorium(options.binary, "--filter", f"^train/{case}$", "--json", "--samples",
                                                  "--seconds", "0", "--threads", str(options.threads)))
                    samples[variant] += report["results"][0]["samples_ms"]
        memory = {v: workers[v].ask("memory") for v in torch_runs}
        failed = {v: worker.error for v, worker in workers.items() if worker.error}
    finally:
        for worker in workers.values():
            worker.close()

    network, result = ours["network"], report["results"][0]
    items = network["batch"] * network.get("context", 1)
    variants = []
    for variant, times in samples.items():
        if not times or variant in failed:
            continue
        is_ours = variant not in torch_runs
        variants.append({"variant": variant if is_ours else f"torch {variant}", "median_ms": quantile(times, 0.5),
                         "p10_ms": quantile(times, 0.1), "p90_ms": quantile(times, 0.9), "runs": len(times),
                         "throughput": items / quantile(times, 0.5) * 1e3,
                         "gflops": result["gflops"] * result["median_ms"] / quantile(times, 0.5),
                         "peak_mb": ours["peak_resident_mb"] if is_ours else memory[variant]["peak_resident_mb"],
                         "libraries_mb": 0 if is_ours else memory[variant]["libraries_mb"]})
    best = max((v for v in variants[1:]), key=lambda v: v["throughput"])
    for v in variants:
        v["ratio_to_best_torch"] = v["throughput"] / best["throughput"]
    return {"network": case, "unit": CASES[case], "machine": report["machine"], "torch": memory["f32"]["torch"],
            "losses": {"sensorium bf16": ours["losses"], **{f"torch {v}": run["losses"] for v, run in torch_runs.items()}},
            "loss_differences": {row[0]: row[1][0] for row in rows}, "best_torch": best["variant"],
            "ratio": variants[0]["ratio_to_best_torch"], "variants": variants, "failed": failed}


def print_table(results):
    print("\n### Time per step\n")
    print("| network | variant | ms per step | p10 | p90 | throughput | GFLOP/s | ratio to the best PyTorch | peak MB |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for r in results:
        for v in r["variants"]:
            libraries = f" ({v['libraries_mb']:.0f} libraries)" if v["libraries_mb"] else ""
            print(f"| {r['network']} | {v['variant']} | {v['median_ms']:.1f} | {v['p10_ms']:.1f} | {v['p90_ms']:.1f} "
                  f"| {v['throughput']:.4g} {r['unit']} | {v['gflops']:.0f} | {v['ratio_to_best_torch']:.2f} "
                  f"| {v['peak_mb']:.0f}{libraries} |")
        for variant, error in r["failed"].items():
            print(f"| {r['network']} | torch {variant} | failed: {error} | | | | | | |")
    machine = results[0]["machine"]
    print(f"\n{machine['cpu']}, {machine['threads']} threads; bf16 peak {machine['bf16_peak_gflops']:.0f} GFLOP/s, f32 "
          f"{machine['f32_peak_gflops']:.0f} GFLOP/s, read {machine['read_gb_s']:.1f} GB/s; {results[0]['sensorium']}; "
          f"PyTorch {results[0]['torch']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="the sensorium program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each PyTorch variant a round (sensorium: 5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="of PyTorch; f32 and bf16 are always among them")
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args()
    chosen = [v.strip() for v in options.variants.split(",")]
    if options.rounds < 1 or options.steps < 1 or options.threads < 1:
        parser.error("--rounds, --steps and --threads must be at least 1")
    if unknown := set(chosen) - set(VARIANTS):
        parser.error(f"--variants: unknown {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}")
    options.variants = [v for v in VARIANTS if v in chosen or v in ("f32", "bf16")]

    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    results = []
    for case in options.case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results.append({**measure(case, options, Path(folder)), "sensorium": version})
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        print_table(results)


if __name__ == "__main__":
    main()
