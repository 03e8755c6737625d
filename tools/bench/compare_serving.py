#!/usr/bin/env python3
"""Streaming clients of `sensorium serve` beside those of another server with OpenAI's API, in turns: tokens a second of all clients
together, and the time to the first token. Chat templates differ, so the tokens of a prompt are said.

    tools/random_folder.py llama-1.1b-q4 && build/release/sensorium serve --model llama-1.1b-q4 --port 8080 --database none &
    tools/random_gguf.py llama-1.1b.gguf && llama-server -m llama-1.1b.gguf -t 2 -np 8 -c 8192 --port 8081 &
    compare_serving.py sensorium=http://127.0.0.1:8080 llama.cpp=http://127.0.0.1:8081

Every client asks another question of --words words and takes --tokens tokens. Prints a table of the medians of the rounds. Needs
nothing beyond Python.
"""
import argparse
import json
import random
import statistics
import urllib.request

import streaming

WORDS = "rain tree house river stone cloud bird road field lamp door ship glass clock hand wind".split()


def first_model(address):
    with urllib.request.urlopen(address + "/v1/models") as response:
        return json.load(response)["data"][0]["id"]


def clients(address, model, options, seed):
    draw = random.Random(seed)
    questions = [" ".join(draw.choices(WORDS, k=options.words)) for _ in range(options.clients)]
    figures = streaming.figures(address, [{"model": model, "max_tokens": options.tokens, "temperature": 1,
                                           "messages": [{"role": "user", "content": question}]} for question in questions])
    if figures["errors"] > 0:
        raise SystemExit(f"{address}: {figures['errors']} clients got no answer")
    return figures


def main(options):
    servers = [server.split("=", 1) for server in options.servers]
    rounds = {name: [] for name, _ in servers}
    for round_ in range(options.rounds + 1):
        for name, address in servers:
            figures = clients(address, first_model(address), options, round_)
            if round_ > 0:  # the first round warms both up
                rounds[name].append(figures)
    middle = {name: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for name, runs in rounds.items()}
    base = middle[servers[-1][0]]
    print(f"{options.clients} clients, {options.words} words each, {options.tokens} tokens\n"
          "| server | tokens/s of all | ratio to the last | first token, median | p95 | tokens of a prompt |\n|---|---:|---:|---:|---:|---:|")
    for name, row in middle.items():
        print(f"| {name} | {row['tokens_per_s']:.1f} | {row['tokens_per_s'] / base['tokens_per_s']:.2f} | {row['first_median_s']:.2f} s | "
              f"{row['first_p95_s']:.2f} s | {row['prompt_tokens']:.0f} |")
    print(json.dumps(rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="+", metavar="NAME=ADDRESS")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--words", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    main(parser.parse_args())
