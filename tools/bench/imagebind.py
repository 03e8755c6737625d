#!/usr/bin/env python3
"""ImageBind-Huge beside PyTorch: inputs a second, memory, time to load; random weights, the same for both.

    python3 tools/bench/imagebind.py REFERENCE FOLDER [--threads 2] [--binary build/release/sensorium]

REFERENCE is a checkout of github.com/facebookresearch/ImageBind with bpe_simple_vocab_16e6.txt.gz in imagebind/bpe. FOLDER receives
imagebind_huge.pth (4.5 GB) and what `sensorium convert` and `sensorium quantize` make of it; they are kept for the next run. Each
program runs in a process of its own, in turns: 8 pictures, 8 sounds (3 clips each), 8 texts at once. PyTorch starts from prepared
tensors, this program from decoded media. Needs torch, einops, ftfy, regex.
"""
import argparse
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import types

SENSES = {"image": "vision", "audio": "audio", "text": "text"}
BATCH = 8


def reference_model(reference):
    import torch
    layers = types.ModuleType("timm.layers")
    layers.DropPath, layers.trunc_normal_ = torch.nn.Identity, torch.nn.init.trunc_normal_
    files = types.ModuleType("iopath.common.file_io")
    files.g_pathmgr = types.SimpleNamespace(open=open)
    package = types.ModuleType("imagebind")  # without its loaders
    package.__path__ = [str(pathlib.Path(reference) / "imagebind")]
    sys.modules |= {"timm": types.ModuleType("timm"), "timm.layers": layers, "iopath": types.ModuleType("iopath"),
                    "iopath.common": types.ModuleType("iopath.common"), "iopath.common.file_io": files, "imagebind": package}
    from imagebind.models import imagebind_model
    return imagebind_model


def write_checkpoint(reference, path):
    import torch
    torch.manual_seed(0)
    torch.save(reference_model(reference).imagebind_huge().state_dict(), path)


def torch_worker(reference, path, dtype, seconds):
    import torch
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    module = reference_model(reference)
    start = time.time()
    state = torch.load(path, weights_only=True, mmap=True)
    loaded = time.time() - start
    linspace = torch.linspace  # its numbers are asked for while the model is made
    torch.linspace = lambda *arguments: linspace(*arguments, device="cpu")
    with torch.device("meta"):
        model = module.imagebind_huge()
    model.load_state_dict(state, assign=True)
    model = model.to(getattr(torch, dtype)).eval()
    del state
    inputs = {"image": torch.randn(BATCH, 3, 224, 224), "audio": torch.randn(BATCH, 3, 1, 128, 204),
              "text": torch.randint(1, 49000, (BATCH, 77))}
    inputs["text"][:, 14] = 49407
    result = {"load_s": loaded}
    with torch.inference_mode():
        for name, value in inputs.items():
            value = value if name == "text" else value.to(getattr(torch, dtype))
            run = lambda: model({SENSES[name]: value})
            run()
            times = []
            while len(times) < 3 or sum(times) < seconds:
                start = time.time()
                run()
                times.append(time.time() - start)
            result[name] = BATCH / sorted(times)[len(times) // 2]
    result["peak_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps(result))


def run_torch(args, dtype):
    line = subprocess.run([sys.executable, __file__, args.reference, args.folder, "--worker", dtype, "--threads",
                           str(args.threads), "--seconds", str(args.seconds)], check=True, capture_output=True, text=True).stdout
    return json.loads(line.splitlines()[-1])


def run_own(args, folder):
    command = ["/usr/bin/time", "-f", "%M", args.binary, "bench", "--model", str(folder), "--filter", "embed/", "--json",
               "--threads", str(args.threads), "--seconds", str(args.seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = {"peak_mb": int(done.stderr.split()[-1]) / 1024}
    for case in json.loads(done.stdout)["results"]:
        sense = case["name"].split("/")[1].removesuffix(f"x{BATCH}")
        result[sense] = BATCH / (case["median_ms"] / 1000)
    start = time.time()
    subprocess.run([args.binary, "inspect", str(folder), "--json"], check=True, capture_output=True)
    result["load_s"] = time.time() - start
    return result


def main(args):
    folder = pathlib.Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    released = folder / "imagebind_huge.pth"
    if not released.exists():
        write_checkpoint(args.reference, released)
        shutil.copy(pathlib.Path(args.reference) / "imagebind/bpe/bpe_simple_vocab_16e6.txt.gz", folder)
    for made, command in {"bf16": ["convert", released, folder / "bf16", "--to", "safetensors", "--type", "bf16"],
                          "packed": ["quantize", folder / "bf16", folder / "packed", "--type", "bf16"],
                          "q8": ["quantize", folder / "bf16", folder / "q8"]}.items():
        if not (folder / made).exists():
            subprocess.run([args.binary, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    rows = {}
    for turn in range(args.turns):
        for name, run in {"torch f32": lambda: run_torch(args, "float32"), "torch bf16": lambda: run_torch(args, "bfloat16"),
                          "own bf16": lambda: run_own(args, folder / "packed"), "own q8": lambda: run_own(args, folder / "q8")}.items():
            rows.setdefault(name, []).append(run())
    middle = {name: {key: sorted(one[key] for one in runs)[len(runs) // 2] for key in runs[0]} for name, runs in rows.items()}
    for name, row in middle.items():
        ratios = {s: row[s] / max(middle["torch f32"][s], middle["torch bf16"][s]) for s in SENSES}
        print(f"{name:<11}" + "".join(f" {s} {row[s]:7.2f}/s ({ratios[s]:.2f}x)" for s in SENSES) +
              f"  {row['peak_mb']:7.0f} MB  load {row['load_s']:.2f} s")
    print(json.dumps(middle))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("reference")
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--binary", default="build/release/sensorium")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        import torch
        torch.set_num_threads(options.threads)
        torch_worker(options.reference, pathlib.Path(options.folder) / "imagebind_huge.pth", options.worker, options.seconds)
    else:
        main(options)
