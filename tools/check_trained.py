#!/usr/bin/env python3
"""Lets transformers and PEFT load what `sensorium train` made, and compares what they compute with what Sensorium answers.

    tools/check_trained.py BINARY MODEL [--adapter DIR] --picture FILE [--question TEXT]

MODEL is a folder in Hugging Face's layout: a run's model/, or the base of an adapter. No tensor may be missing or left over. The
greedy answers must be the same. Needs torch, transformers, pillow, and peft for adapters.
"""
import argparse
import json
import subprocess
import sys

import torch
import transformers
from PIL import Image

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("binary")
parser.add_argument("model")
parser.add_argument("--adapter")
parser.add_argument("--picture")
parser.add_argument("--question", default="How many dogs are there?")
parser.add_argument("--tokens", type=int, default=16)
args = parser.parse_args()

kind = transformers.AutoModelForImageTextToText if args.picture else transformers.AutoModelForCausalLM
model, info = kind.from_pretrained(args.model, dtype=torch.float32, output_loading_info=True)
for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    assert not info[what], f"{what}: {info[what]}"
if args.adapter:
    from peft import PeftModel
    from peft.utils import load_peft_weights, set_peft_model_state_dict

    model = PeftModel.from_pretrained(model, args.adapter)
    result = set_peft_model_state_dict(model, load_peft_weights(args.adapter))
    assert not result.unexpected_keys, result.unexpected_keys
    left = [k for k in result.missing_keys if "lora_" in k or "modules_to_save" in k]
    assert not left, left
model.eval()

tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(args.model)
content = ([{"type": "image"}] if args.picture else []) + [{"type": "text", "text": args.question}]
turn = {"role": "user", "content": content if args.picture else args.question}
text = tokenizer.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
starts = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
ids = tokenizer(text, add_special_tokens=not starts)["input_ids"]
inputs = {}
if args.picture:
    processor = transformers.CLIPImageProcessorPil.from_pretrained(args.model)
    inputs["pixel_values"] = processor([Image.open(args.picture).convert("RGB")], return_tensors="pt")["pixel_values"]
    config = model.config
    rows = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    image = config.image_token_index if hasattr(config, "image_token_index") else config.image_token_id
    ids = [i for t in ids for i in ([t] * rows if t == image else [t])]
with torch.no_grad():
    out = model.generate(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), **inputs,
                         max_new_tokens=args.tokens, do_sample=False, pad_token_id=0)
theirs = tokenizer.decode(out[0, len(ids):], skip_special_tokens=True).strip()

command = [args.binary, "ask", args.question, *([args.picture] if args.picture else []), "--model", args.model, "--json",
           "--max-tokens", str(args.tokens)]
if args.adapter:
    command += ["--adapter", args.adapter]
ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["answer"].strip()
print(f"transformers: {theirs!r}\nsensorium:    {ours!r}")
sys.exit(0 if ours == theirs else 1)
