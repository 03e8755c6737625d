#!/usr/bin/env python3
"""A training step of LoRA (forward, backward, clipping, AdamW) of Sensorium beside peft and PyTorch in bf16, same model, same batch.

    tools/bench/compare_lora.py build/release/sensorium --steps 4 --threads 2 [--checkpointing] [--rank 128]

The model has the shape of TinyLlama 1.1B and random weights in bf16; every projection of the decoder is adapted in f32, as peft does
with a base in bf16. Two conversations of 512 tokens make a batch; three quarters of the tokens are learned. The losses of all steps
must agree within 2 %, or the exit status is 1. The two take turns, a step each. Prints seconds of the wall clock and of the CPU per
step (medians, first step left out) and the largest resident memory; that of Sensorium counts the pages of the mapped base.
Needs torch, transformers, peft, safetensors.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import random_folder

SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and "
          "polite answers to the user's questions.")
QUESTION = "Please write about the weather."
LENGTH, BATCH, RATE, ALPHA = 512, 2, 2e-4, 2
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def conversations():
    """Prompt and answer whose bytes are the tokens; BOS and the end token make LENGTH."""
    prompt = f"{SYSTEM} USER: {QUESTION} ASSISTANT:"
    words = "rain and wind come over the hill while the sun waits behind a cloud ".split(" ")
    made = []
    for i in range(BATCH):
        text = " ".join(words[(i * 5 + k * 3) % len(words)] for k in range(200))
        made.append((prompt, " " + text[:LENGTH - 3 - len(prompt)]))
    return made


def write_folder(folder, seed=1):
    import torch
    import transformers

    torch.manual_seed(seed)
    sizes = random_folder.DECODERS["llama-1.1b"]
    config = transformers.LlamaConfig(**sizes, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False)
    torch.set_default_dtype(torch.bfloat16)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(random_folder.tokenizer_json(32000, False)))
    records = [{"conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": answer.strip()}]}
               for _, answer in conversations()]
    (folder / "data.json").write_text(json.dumps(records))


def torch_worker(options):
    """Takes a step for every line on standard input."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    torch.set_num_threads(options.threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.bfloat16)
    model.config.use_cache = False
    if options.checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    model = get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=ALPHA * options.rank, lora_dropout=0.0,
                                             target_modules=TARGETS, task_type="CAUSAL_LM"))
    model.train()
    ids, labels = [], []
    for prompt, answer in conversations():
        row = [1] + [3 + b for b in (prompt + answer).encode()] + [2]
        ids.append(row)
        labels.append([-100] * (1 + len(prompt)) + row[1 + len(prompt):])
    batch = {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), "attention_mask": torch.ones(BATCH, len(ids[0]))}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.999), weight_decay=0.0)
    print(json.dumps({"trained": sum(p.numel() for p in trained), "tokens": sum(map(len, ids))}), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(json.dumps({"loss": loss.item(), "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
                          "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid):
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class Sensorium:
    """One process; it is stopped while it is not its turn."""

    def __init__(self, options, out):
        self.log, self.lines = out / "train.jsonl", 0
        recipe = Path(__file__).resolve().parents[2] / "recipes/llava-2-lora.yaml"
        arguments = [f"init={options.folder}", f"data.train={options.folder}/data.json", f"out={out}",
                     f"lora.rank={options.rank}", f"lora.alpha={ALPHA * options.rank}", "lora.dropout=0", "trainable=[]",
                     "train.epochs=0", f"train.steps={options.steps}", "train.accumulate=1", "train.save_every=1000",
                     f"train.learning_rate={RATE}", "train.learning_rates={}", "train.warmup_fraction=0", "train.final_fraction=1",
                     "train.warmup_steps=0", f"data.conversations_per_batch={BATCH}", "data.max_tokens=0",
                     f"activation_checkpointing={str(options.checkpointing).lower()}"]
        self.process = subprocess.Popen([options.binary, "train", str(recipe), *arguments], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True,
                                        env=os.environ | {"SENSORIUM_THREADS": str(options.threads)})

    def step(self):
        """Waits for the next line of the log. CPU time counts what lies between two lines."""
        cpu, start = cpu_seconds(self.process.pid), time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        while True:
            done = self.log.read_text().splitlines() if self.log.exists() else []
            if len(done) > self.lines:
                break
            if self.process.poll() is not None:
                sys.exit(f"sensorium: {self.process.stderr.read().strip()}")
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        spent, memory = cpu_seconds(self.process.pid) - cpu, peak_memory(self.process.pid)
        self.lines += 1
        record = json.loads(done[self.lines - 1])
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
        return {"loss": record["loss"], "seconds": seconds, "cpu": spent, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--folder", help="a folder that this script made before; none: made and removed again")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return torch_worker(options)

    scratch = Path(tempfile.mkdtemp(prefix="compare_lora_"))
    made = options.folder is None
    if made:
        options.folder = str(scratch / "model")
    if not Path(options.folder).exists():
        Path(options.folder).mkdir(parents=True)
        write_folder(Path(options.folder))
    runs = {"peft, torch bf16": [], "sensorium": []}
    try:
        arguments = [options.python, __file__, "--worker", "--folder", options.folder, "--rank", str(options.rank), "--threads",
                     str(options.threads), *(["--checkpointing"] if options.checkpointing else [])]
        torch_run = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        facts = json.loads(torch_run.stdout.readline())
        ours = Sensorium(options, scratch / "run")
        for _ in range(options.steps):
            runs["sensorium"].append(ours.step())
            torch_run.stdin.write("\n")
            torch_run.stdin.flush()
            runs["peft, torch bf16"].append(json.loads(torch_run.stdout.readline()))
        torch_run.stdin.close()
        ours.process.send_signal(signal.SIGCONT)
        ours.process.kill()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{facts['trained'] / 1e6:.1f} million parameters train, {facts['tokens']} tokens a step, rank {options.rank}, "
          f"{options.threads} threads, activation checkpointing {'on' if options.checkpointing else 'off'}\n")
    print("| | s a step | CPU s a step | GB resident | losses |\n|---|---:|---:|---:|---|")
    for name, steps in runs.items():
        median = lambda key: statistics.median(step[key] for step in steps[1:])
        print(f"| {name} | {median('seconds'):.2f} | {median('cpu'):.2f} | {max(s['memory'] for s in steps) / 1e9:.2f} | "
              + ", ".join(f"{s['loss']:.4f}" for s in steps) + " |")
    worst = max(abs(a["loss"] - b["loss"]) / b["loss"] for a, b in zip(runs["sensorium"], runs["peft, torch bf16"]))
    print(f"\nLargest difference of a loss: {worst:.1e}")
    return 0 if worst < 0.02 else 1


if __name__ == "__main__":
    sys.exit(main())
