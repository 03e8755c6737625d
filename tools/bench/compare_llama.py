#!/usr/bin/env python3
"""Prompts, decoding, pictures and the time to the first token beside llama.cpp and its forks, in turns: same shapes, random weights.

    python3 tools/bench/compare_llama.py build/release/sensorium FOLDER --peer mainline=llama.cpp/build/bin \\
        --peer ik=ik/build/bin --peer "ik, repacked=ik/build/bin,-rtr,1"

A peer is the folder of its programs llama-bench and llama-mtmd-cli, and options for llama-bench behind it. FOLDER receives the models (up to 25 GB with all parts); they are
kept for the next run. Prints a table of medians over the rounds, with the ratio to the best peer, and the figures as JSON. Needs
numpy, pillow.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

TOOLS = pathlib.Path(__file__).resolve().parent.parent
PROMPT, STEPS = 512, 48
OWN_OF = {"q4_0": "q4", "q8_0": "q8", "bf16": "bf16"}
QUESTION = "What is unusual about this image?"


def make(path, script, *arguments):
    if not path.exists():
        unfinished = path.with_name("unfinished-" + path.name)
        subprocess.run([sys.executable, TOOLS / script, unfinished, *arguments], check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(path)
    return path


def own_folder(args, shape, kind, towers="q8"):
    return make(args.folder / f"{shape}-{kind}-{towers}", "random_folder.py", "--shape", shape, "--type", kind, "--towers", towers)


def peer_file(args, shape, kind):
    return make(args.folder / f"{shape}-{kind}.gguf", "random_gguf.py", "--shape", shape, "--type", kind)


def own_bench(args, folder, pattern):
    done = subprocess.run([args.binary, "bench", "--model", folder, "--filter", pattern, "--threads", str(args.threads), "--seconds",
                           "3", "--json"], check=True, capture_output=True, text=True)
    return {case["name"]: case["median_ms"] / 1000 for case in json.loads(done.stdout)["results"]}


def own_rates(args, shape, kind):
    cases = {"prompt": (f"decode/prefill{PROMPT}", PROMPT), "decode": ("decode/step", 1)}
    wanted = {what: cases[what] for what in args.measures}
    seconds = own_bench(args, own_folder(args, shape, OWN_OF[kind]), f"({'|'.join(case for case, _ in wanted.values())})$")
    return {what: tokens / seconds[case] for what, (case, tokens) in wanted.items()}


def peer_rates(args, programs, options, shape, kind):
    sizes = {"prompt": PROMPT, "decode": STEPS}
    tokens = {what: sizes[what] if what in args.measures else 0 for what in sizes}
    command = [programs / "llama-bench", "-m", peer_file(args, shape, kind), "-t", str(args.threads), "-p", str(tokens["prompt"]),
               "-n", str(tokens["decode"]), "-r", str(args.repetitions), "-o", "json", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = json.loads(done.stdout[done.stdout.index("["):])
    return {what: max(row["avg_ts"] for row in rows if (row["n_prompt"] > 0) == (what == "prompt")) for what in args.measures}


def picture(args):
    path = args.folder / "picture.png"
    if not path.exists():
        import numpy as np
        from PIL import Image
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8)).save(path)
    return path


def timed(command):
    """Seconds and resident megabytes of a whole process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(["/usr/bin/time", "-f", "resident %M", *map(str, command)], check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    printed = done.stdout + done.stderr
    return time.perf_counter() - start, int(re.findall(r"resident (\d+)", printed)[-1]) / 1024, printed


def peer_ask(args, programs, shape, text_model):
    projector = make(args.folder / f"{shape}-mmproj.gguf", "random_gguf.py", "--tower", shape)
    return timed([programs / "llama-mtmd-cli", "-m", text_model, "--mmproj", projector, "--image", picture(args), "-p", QUESTION,
                  "-n", "1", "-t", args.threads, "--chat-template", "vicuna"])


def note(rounds, work, name, rate):
    rounds.setdefault((work, name), []).append(rate)
    print(f"{work}; {name}: {rate:.4g} a second", file=sys.stderr, flush=True)


def picture_rates(args, rounds):
    for _ in range(args.rounds):
        for name, programs, _ in args.peer:
            *_, printed = peer_ask(args, programs, "llava-1.1b", peer_file(args, "llava-1.1b", "q4_0"))
            note(rounds, "picture", name, 1000 / float(re.findall(r"(?:encoded|encoding done) in (\d+) ms", printed)[0]))
        for towers in ("bf16", "q8"):
            seconds = own_bench(args, own_folder(args, "llava-1.1b", "q4", towers), "encode/image$")
            note(rounds, "picture", f"Sensorium, tower {towers}", 1 / seconds["encode/image"])


def first_token(args, rounds, memory):
    shape = "llava-1.5-7b"
    for _ in range(args.rounds):
        for name, programs, _ in args.peer:
            seconds, megabytes, _ = peer_ask(args, programs, shape, peer_file(args, shape, "q4_0"))
            note(rounds, "first token of 7B", name, 1 / seconds)
            memory[name] = megabytes
        seconds, megabytes, _ = timed([args.binary, "ask", "--model", own_folder(args, shape, "q4"), QUESTION, picture(args),
                                       "--max-tokens", "1", "--threads", args.threads])
        note(rounds, "first token of 7B", "Sensorium", 1 / seconds)
        memory["Sensorium"] = megabytes


def text_rates(args, rounds):
    for _ in range(args.rounds):
        for shape in args.shapes:
            for kind in args.types:
                if kind == "bf16" and shape != "llama-1.1b":
                    continue
                for name, programs, options in args.peer:
                    for what, rate in peer_rates(args, programs, options, shape, kind).items():
                        note(rounds, f"{what}, {shape} {kind}", name, rate)
                for what, rate in own_rates(args, shape, kind).items():
                    note(rounds, f"{what}, {shape} {kind}", "Sensorium", rate)


def main(args):
    args.folder.mkdir(parents=True, exist_ok=True)
    rounds, memory = {}, {}
    if "text" in args.parts:
        text_rates(args, rounds)
    if "picture" in args.parts:
        picture_rates(args, rounds)
    if "first" in args.parts:
        first_token(args, rounds, memory)
    middle = {key: statistics.median(values) for key, values in rounds.items()}
    peers = {name for name, *_ in args.peer}
    print("| work | program | a second | ratio to the best peer |\n|---|---|---:|---:|")
    for (work, name), rate in middle.items():
        best = max(r for (w, n), r in middle.items() if w == work and n in peers)
        print(f"| {work} | {name} | {rate:.4g} | {rate / best:.2f} |")
    for name, megabytes in memory.items():
        print(f"resident, first token of 7B: {name} {megabytes:.0f} MB")
    print(json.dumps({f"{work}; {name}": values for (work, name), values in rounds.items()}))


def peer(text):
    name, _, rest = text.partition("=")
    folder, *options = rest.split(",")
    return name, pathlib.Path(folder).resolve(), options


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peer", type=peer, action="append", required=True, metavar="NAME=FOLDER[,OPTION...]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=2, help="of llama-bench in a round")
    parser.add_argument("--measures", nargs="+", choices=("prompt", "decode"), default=["prompt", "decode"])
    parser.add_argument("--shapes", nargs="+", default=["llama-1.1b", "llama-7b"])
    parser.add_argument("--types", nargs="+", choices=OWN_OF, default=list(OWN_OF))
    parser.add_argument("--parts", nargs="+", choices=("text", "picture", "first"), default=["text", "picture", "first"])
    main(parser.parse_args())
