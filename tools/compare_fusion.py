#!/usr/bin/env python3
"""Trains recipes/fusion.yaml with each kind of fusion on the same data and budget, and prints the table of docs/fusion.md.

    python3 tools/compare_fusion.py build/release/sensorium --out runs/fusion --threads 1

The test scenes are drawn from another seed than the recipe's. `--time STEPS` measures instead, on a quiet machine: the time of a step
(the median of so many), each kind in turn. A run that is there already goes on, or is not repeated.
"""
import argparse
import json
import statistics
import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"projector": [], "resampler": ["model.fusion.tokens=8"], "cross_attention": []}
TEST_SEED = 4711


def run(binary, *arguments):
    return subprocess.run([str(binary), *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def train(options, kind, out, more=()):
    run(options.binary, "train", ROOT / "recipes/fusion.yaml", f"model.fusion.kind={kind}", *KINDS[kind], f"out={out}", *more,
        "--threads", options.threads)


def parameters(folder):
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    sizes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
    total = 0
    for shape in sizes:
        product = 1
        for side in shape:
            product *= side
        total += product
    return total


def tokens_of_picture(options, model, picture):
    def prompt(*files):
        answer = json.loads(run(options.binary, "ask", "What is it?", *files, "--model", model, "--json", "--max-tokens", 1))
        return answer["tokens"]["prompt"]
    return prompt(picture) - prompt()


def step_seconds(folder):
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    pictures = 24
    return statistics.median(pictures / line["images_per_s"] for line in lines[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/fusion"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--time", type=int, metavar="STEPS")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.time:
        for kind in KINDS:
            out = options.out / f"time-{kind}"
            train(options, kind, out, [f"train.steps={options.time}", "train.warmup_steps=1"])
            print(f"{kind}: {1e3 * step_seconds(out):.0f} ms a step")
        return
    run(options.binary, "world", options.out / "test", "--name", "test", "--kinds", "senses", "--count", options.scenes,
        "--seed", TEST_SEED)
    rows, questions = {}, []
    for kind in KINDS:
        train(options, kind, options.out / kind)
        model = options.out / kind / "model"
        report = json.loads(run(options.binary, "eval", "--model", model, "--data", options.out / "test/test.jsonl", "--task", "qa",
                                "--json"))
        scores = {}
        for result in report["results"]:
            question = result.get("question") or "all"
            scores[question] = result["metrics"]["exact_match"]["value"]
            if question not in questions:
                questions.append(question)
        picture = next((options.out / "test/media").glob("test_*[0-9].png"))
        rows[kind] = (scores, tokens_of_picture(options, model, picture), parameters(model))
    print("| | " + " | ".join(rows) + " |")
    print("|---|" + "---:|" * len(rows))
    for question in questions:
        print(f"| {question} | " + " | ".join(f"{row[0].get(question, float('nan')):.3f}" for row in rows.values()) + " |")
    print("| prompt tokens of a picture of 160 x 96 | " + " | ".join(str(row[1]) for row in rows.values()) + " |")
    print("| parameters | " + " | ".join(f"{row[2]:,}" for row in rows.values()) + " |")


if __name__ == "__main__":
    main()
