"""The networks of src/cli/bench/training_cases.cpp in PyTorch: compare_training.py runs this file as a worker process.

Reads commands from stdin, one a line, and answers each with one line of JSON on stdout:
    losses N   N training steps from the traced start: losses, gradient norms before clipping
    time N     N more steps: milliseconds each
    memory     the process's peak resident memory in MB, and what it was before the model was made
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


class Linear(nn.Linear):
    """Starts empty: the trace fills it."""

    def __init__(self, inputs, outputs, bias=False):
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self):
        pass


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        # In x's dtype: the fused kernel wants both alike.
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


def rotate(x, cos, sin):
    """Rotary positions, Llama's layout: channel c turns with channel c + D / 2."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, n, causal, qk_norm):
        super().__init__()
        self.heads, self.head_dim, self.causal = n["heads"], n["head_dim"], causal
        width = self.heads * self.head_dim
        self.qkv, self.out = Linear(n["dim"], 3 * width), Linear(width, n["dim"])
        if qk_norm:
            self.q_norm, self.k_norm = RmsNorm(self.head_dim, n["norm_eps"]), RmsNorm(self.head_dim, n["norm_eps"])
        self.qk_norm = qk_norm

    def forward(self, x, turn):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, self.head_dim).unbind(2)
        if self.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        if turn is not None:
            q, k = rotate(q, *turn), rotate(k, *turn)
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(batch, tokens, -1))


class SwigluMlp(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gate_up, self.down = Linear(n["dim"], 2 * n["mlp_width"]), Linear(n["mlp_width"], n["dim"])

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, n, causal, qk_norm):
        super().__init__()
        self.norm1, self.attention = RmsNorm(n["dim"], n["norm_eps"]), Attention(n, causal, qk_norm)
        self.norm2, self.mlp = RmsNorm(n["dim"], n["norm_eps"]), SwigluMlp(n)

    def forward(self, x, turn):
        x = x + self.attention(self.norm1(x), turn)
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """forward() gives the mean loss; input and output embeddings are one matrix."""

    def __init__(self, n, stream):
        super().__init__()
        self.embedding = nn.Embedding(n["vocabulary"], n["dim"])
        self.layers = nn.ModuleList(Block(n, causal=True, qk_norm=True) for _ in range(n["layers"]))
        self.norm, self.stream = RmsNorm(n["dim"], n["norm_eps"]), stream
        half = n["head_dim"] // 2
        rates = n["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(n["context"], dtype=torch.float64), rates)[:, None, :]  # [T, 1, D / 2]
        self.register_buffer("cos", angles.cos().to(stream), persistent=False)
        self.register_buffer("sin", angles.sin().to(stream), persistent=False)

    def forward(self, tokens, targets):
        x = self.embedding(tokens).to(self.stream)
        for layer in self.layers:
            x = layer(x, (self.cos, self.sin))
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Vit(nn.Module):
    def __init__(self, n, stream):
        super().__init__()
        self.patch, self.stream = n["patch"], stream
        self.embed = Linear(n["patch"] ** 2 * 3, n["dim"], bias=True)
        self.position = nn.Parameter(torch.empty((n["side"] // n["patch"]) ** 2, n["dim"]))
        self.layers = nn.ModuleList(Block(n, causal=False, qk_norm=False) for _ in range(n["layers"]))
        self.norm, self.head = RmsNorm(n["dim"], n["norm_eps"]), Linear(n["dim"], n["classes"], bias=True)

    def forward(self, pixels, labels):
        batch, side, p = pixels.shape[0], pixels.shape[1], self.patch
        patches = pixels.view(batch, side // p, p, side // p, p, 3).transpose(2, 3).reshape(batch, -1, p * p * 3)
        x = self.embed(patches).to(self.stream) + self.position.to(self.stream)
        for layer in self.layers:
            x = layer(x, None)
        return F.cross_entropy(self.head(self.norm(x).mean(1)).float(), labels)


class Trainer:
    def __init__(self, trace, variant):
        with open(trace + ".json") as file:
            recipe = json.load(file)
        tensors = load_file(trace + ".safetensors")
        n, self.bf16 = recipe["network"], "bf16" in variant
        stream = torch.bfloat16 if self.bf16 else torch.float32  # the residual stream; autocast alone would leave it f32
        if n["kind"] == "decoder":
            self.model, prefix = Decoder(n, stream), "decoder."
            self.batch = [tensors.pop("batch." + k).long().view(n["batch"], n["context"]) for k in ("tokens", "targets")]
        else:
            self.model, prefix = Vit(n, stream), ""
            pixels = tensors.pop("batch.pixels").view(n["batch"], n["side"], n["side"], 3)
            self.batch = [pixels.to(stream), tensors.pop("batch.labels").long()]
        self.model.load_state_dict({name.removeprefix(prefix): value for name, value in tensors.items()})
        o = recipe["optimizer"]
        decayed = {name.removeprefix(prefix) for name in o["decayed"]}
        groups = [{"params": [p for name, p in self.model.named_parameters() if (name in decayed) == flag],
                   "weight_decay": o["weight_decay"] if flag else 0.0} for flag in (True, False)]
        self.optimizer = torch.optim.AdamW(groups, lr=o["learning_rate"], betas=(o["beta1"], o["beta2"]), eps=o["eps"],
                                           fused=True)
        self.clip_norm = o["clip_norm"]
        self.loss = torch.compile(self.model) if "compiled" in variant else self.model

    def step(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.loss(*self.batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item()


def peak_resident_mb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", help="path of a trace without .json")
    parser.add_argument("variant", choices=["f32", "bf16", "f32 compiled", "bf16 compiled"])
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    libraries_mb = peak_resident_mb()
    trainer = Trainer(options.trace, options.variant)
    for line in sys.stdin:
        command, *rest = line.split()
        count = int(rest[0]) if rest else 0
        if command == "losses":
            results = [trainer.step() for _ in range(count)]
            answer = {"losses": [r[0] for r in results], "grad_norms": [r[1] for r in results]}
        elif command == "time":
            answer = {"ms": []}
            for _ in range(count):
                start = time.perf_counter()
                trainer.step()
                answer["ms"].append((time.perf_counter() - start) * 1e3)
        else:
            answer = {"peak_resident_mb": peak_resident_mb(), "libraries_mb": libraries_mb, "torch": torch.__version__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
