#!/usr/bin/env python3
"""Writes tests/golden/train/llava/: losses, gradients and weights of the first steps of training a tiny LLaVA.

    python3 tools/golden/train_llava.py

The base is tests/golden/models/llava, made by models_families.py. Three runs, as in LLaVA's recipes: the projector on captions
with the plain template, projector and decoder on conversations, an adapter of PEFT's with the projector. Which tokens are
learned comes from the tokenizer's offsets; the batch is padded. Needs torch, transformers and peft.
"""
import json
import math
from pathlib import Path

import torch
import transformers
from PIL import Image
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[2] / "tests" / "golden"
BASE, OUT = ROOT / "models" / "llava", ROOT / "train" / "llava"
STEPS, WARMUP, CLIP = 5, 2, 1.0

# Pictures by number; turns of the user and of the assistant. One without a picture.
CONVERSATIONS = [
    ([0], ["<image>\nHow many dogs are there?", "There are three dogs."]),
    ([1], ["What is unusual about this picture?\n<image>", "a red dog on a blue boat", "and the cats?", "two cats."]),
    ([0, 1], ["<image>\n<image>\nIs it like this?", "a photo of a cat, a photo of a dog"]),
    ([], ["How many cats?", "three"]),
]
CAPTIONS = [([0], "a photo of a dog"), ([1], "a red boat"), ([1], "three dogs and two cats."), ([0], "this picture")]


def write_data():
    def record(number, pictures, values):
        turns = [{"from": "gpt" if i % 2 else "human", "value": value} for i, value in enumerate(values)]
        images = [f"../../models/llava/picture{p}.png" for p in pictures]
        return {"id": str(number), "conversations": turns} | ({"image": images if len(images) > 1 else images[0]} if images else {})

    write = lambda name, records: (OUT / name).write_text(json.dumps(records, indent=1) + "\n")
    write("conversations.json", [record(i, *c) for i, c in enumerate(CONVERSATIONS)])
    write("captions.json", [record(i, p, ["<image>\nDescribe it.", caption]) for i, (p, caption) in enumerate(CAPTIONS)])


def pixels_of(numbers):
    processor = transformers.CLIPImageProcessorPil.from_pretrained(BASE)
    return processor([Image.open(BASE / f"picture{n}.png") for n in numbers], return_tensors="pt")["pixel_values"]


def encode(tokenizer, text, spans):
    """Ids with every <image> 16 times, and labels: the tokens that begin inside the spans of characters."""
    image = tokenizer.convert_tokens_to_ids("<image>")
    out = tokenizer(text, return_offsets_mapping=True)
    ids, labels = [], []
    for token, (begin, end) in zip(out["input_ids"], out["offset_mapping"]):
        learned = end > begin and any(s <= begin < e for s, e in spans)
        ids += [token] * (16 if token == image else 1)
        labels += [token if learned else -100] * (16 if token == image else 1)
    return ids, labels


def instruct_batch(tokenizer):
    rows = []
    for _, values in CONVERSATIONS:
        text, spans = "", []
        for i, value in enumerate(values):
            if i % 2:
                text += "ASSISTANT:"
                spans.append((len(text), len(text) + 1 + len(value)))
                text += " " + value + " "
            else:
                parts = [part.strip("\n") for part in value.replace("<image>", "\0<image>\0").split("\0")]
                text += "USER: " + "".join("<image>\n" if p == "<image>" else p + " " for p in parts if p)
        ids, labels = encode(tokenizer, text.rstrip(" "), spans)
        rows.append((ids + [2], labels + [2]))
    return rows, [p for pictures, _ in CONVERSATIONS for p in pictures]


def caption_batch(tokenizer):
    rows = []
    for _, caption in CAPTIONS:
        text = "<image>" + caption + "\n"
        rows.append(encode(tokenizer, text, [(len("<image>"), len(text))]))
    return rows, [p for pictures, _ in CAPTIONS for p in pictures]


def padded(rows):
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([i + [0] * (width - len(i)) for i, _ in rows])
    labels = torch.tensor([l + [-100] * (width - len(l)) for _, l in rows])
    mask = torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i, _ in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def rate(peak, step):
    if step < WARMUP:
        return peak * (step + 1) / WARMUP
    return peak * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def run(name, model, batch, groups, kept):
    """`groups`: (parameters, peak learning rate); `kept`: names whose first gradient and last value are saved."""
    rows, pictures = batch
    inputs = padded(rows) | {"pixel_values": pixels_of(pictures)}
    optimizer = torch.optim.AdamW([{"params": p, "peak": lr} for p, lr in groups], lr=0, betas=(0.9, 0.999), eps=1e-8,
                                  weight_decay=0.0)
    trained = [p for ps, _ in groups for p in ps]
    parameters = dict(model.named_parameters())
    losses, norms, tensors = [], [], {}
    for step in range(STEPS):
        loss = model(**inputs).loss
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            tensors |= {f"grad.{k}": parameters[n].grad.clone() for n, k in kept.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(trained, CLIP))
        for group in optimizer.param_groups:
            group["lr"] = rate(group["peak"], step)
        optimizer.step()
        losses.append(loss.detach())
    tensors |= {f"last.{k}": parameters[n].detach().clone() for n, k in kept.items()}
    tensors |= {"losses": torch.stack(losses), "norms": torch.stack(norms),
                "learned": torch.tensor([(padded(rows)["labels"] >= 0).sum()]).int()}
    save_file({k: v.contiguous() for k, v in tensors.items()}, OUT / f"{name}.safetensors")
    print(name, [round(float(l), 5) for l in losses], "norm", float(norms[0]))
    return model


def base():
    return transformers.LlavaForConditionalGeneration.from_pretrained(BASE, dtype=torch.float32).train()


def frozen_but(model, *parts):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in parts))
    return [p for p in model.parameters() if p.requires_grad]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write_data()
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(BASE)
    projector = {f"model.multi_modal_projector.linear_{i}.{k}": f"multi_modal_projector.linear_{i}.{k}"
                 for i in (1, 2) for k in ("weight", "bias")}

    model = base()
    run("align", model, caption_batch(tokenizer), [(frozen_but(model, "multi_modal_projector"), 1e-2)], projector)

    model = base()
    layer = "model.language_model.layers."
    kept = {f"{layer}0.{m}": f"layers.0.{m}" for m in (
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight",
        "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight", "input_layernorm.weight")}
    kept |= {"model.language_model.norm.weight": "norm.weight", f"{layer}1.mlp.up_proj.weight": "layers.1.mlp.up_proj.weight"}
    run("instruct", model, instruct_batch(tokenizer),
        [(frozen_but(model, "multi_modal_projector", "language_model", "lm_head"), 2e-3)], projector | kept)

    model = base()
    torch.manual_seed(3)
    adapted = get_peft_model(model, LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, modules_to_save=["multi_modal_projector"],
        target_modules=r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(OUT / "start")
    (OUT / "start" / "README.md").unlink()
    path = OUT / "start" / "adapter_config.json"
    config = json.loads(path.read_text()) | {"base_model_name_or_path": "llava"}  # no path of this machine
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    kept = {}
    for i, module in ((0, "self_attn.q_proj"), (0, "self_attn.v_proj"), (1, "mlp.up_proj"), (1, "mlp.down_proj")):
        for side in "AB":
            kept[f"base_model.model.{layer}{i}.{module}.lora_{side}.default.weight"] = f"layers.{i}.{module}.{side}"
    whole = [p for n, p in adapted.named_parameters() if p.requires_grad and "lora_" not in n]
    low = [p for n, p in adapted.named_parameters() if p.requires_grad and "lora_" in n]
    adapted = run("lora", adapted, instruct_batch(tokenizer), [(low, 1e-2), (whole, 1e-3)], kept)


if __name__ == "__main__":
    main()
