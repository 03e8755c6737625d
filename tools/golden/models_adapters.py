#!/usr/bin/env python3
"""Writes tests/golden/models/{llama,llava}_adapter/: adapters that PEFT saves, and what the adapted models compute.

Needs torch, transformers and peft. The bases are tests/golden/models/{llama,llava}, made by models_families.py.
"""
import json
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"


def save(name, model, config, run):
    torch.manual_seed(7)
    adapted = get_peft_model(model, config)
    for key, parameter in adapted.named_parameters():
        if "lora_" in key or "modules_to_save" in key:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.eval()
    folder = OUT / f"{name}_adapter"
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    # Paths of this machine do not belong into a golden file.
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = name
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    with torch.no_grad():
        save_file(run(adapted), folder / "expected.safetensors")


def logits(model, ids, **more):
    return model(input_ids=ids[None].long(), **more).logits[0].contiguous()


golden = load_file(OUT / "llama" / "expected.safetensors")
save("llama", transformers.AutoModelForCausalLM.from_pretrained(OUT / "llama", dtype=torch.float32),
     LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
     lambda model: {"ids": golden["ids"], "logits": logits(model, golden["ids"])})

golden = load_file(OUT / "llava" / "expected.safetensors")
save("llava", transformers.LlavaForConditionalGeneration.from_pretrained(OUT / "llava", dtype=torch.float32),
     LoraConfig(r=2, lora_alpha=4, use_rslora=True, target_modules=r".*language_model.*\.(q_proj|v_proj|down_proj)",
                modules_to_save=["multi_modal_projector"]),
     lambda model: {"ids": golden["one.ids"], "logits": logits(model, golden["one.ids"], pixel_values=golden["pixels"][:1])[-1:]})
