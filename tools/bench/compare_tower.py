#!/usr/bin/env python3
"""Features of pictures of a tower in 8 bits beside the same tower in f32, at the size of ViT-L/14-336 with a projector to 4096.

    tools/bench/compare_tower.py build/release/sensorium build/release/picture_features_bench PICTURE...

The weights are random, drawn as transformers initialises the classes: no published tower is needed. The model's decoder is as small
as one can be. Needs torch, transformers.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import random_folder


def write_folder(folder):
    torch.manual_seed(1)
    vision = transformers.CLIPVisionConfig(**random_folder.TOWER)
    text = transformers.LlamaConfig(hidden_size=4096, intermediate_size=64, num_hidden_layers=1, num_attention_heads=32,
                                    vocab_size=32064, max_position_embeddings=4096)
    config = transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=random_folder.IMAGE_TOKEN,
                                      image_seq_length=576)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(random_folder.tokenizer_json(32064, True)))
    transformers.CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("bench")
    parser.add_argument("pictures", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        original, quantised = Path(place) / "f32", Path(place) / "q8"
        original.mkdir()
        write_folder(original)
        subprocess.run([options.binary, "quantize", original, quantised, "--type", "q8"], check=True)
        subprocess.run([options.bench, original, quantised, *options.pictures], check=True)


main()
