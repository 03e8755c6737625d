#!/usr/bin/env python3
"""Golden folders of src/models: a tiny random checkpoint of each family, made with transformers, and what it computes.

    python3 tools/golden/models_families.py [family ...]

Writes tests/golden/models/<family>/: config.json, model.safetensors (f32), tokenizer.json, preprocessor_config.json as
transformers saves them, pictures, and expected.safetensors: pixel values, features, logits of the prompt and the tokens of a
greedy continuation. Needs torch, transformers 5 and pillow; nothing is downloaded. Pictures are prepared by transformers'
Pillow backend, to which the files' own pixels are exact.
"""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
CORPUS = [
    "USER: what is unusual about this picture? ASSISTANT: a red dog on a blue boat.",
    "How many dogs and cats are there? There are three dogs and two cats.",
    "a photo of a cat, a photo of a dog, a photo of a boat",
] * 4
VOCABULARY = 320
GREEDY = 32
TEXT = {
    "vocab_size": VOCABULARY + 16,  # more rows than tokens, as in padded checkpoints
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 7,
}


def llama_tokenizer(extra=()):
    """SentencePiece-like BPE with byte fallback, BOS in front: as converted Llama tokenizers are."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>", *[f"<0x{i:02X}>" for i in range(256)]]
    # The trainer sees words with the mark; the model itself does not split.
    words = [line.replace(" ", " ▁").split(" ") for line in ("▁" + text for text in CORPUS)]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(extra), special_tokens=special, show_progress=False)
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trained.train_from_iterator((" ".join(line) for line in words), trainer)
    data = json.loads(tokenizer.to_str())
    learned = json.loads(trained.to_str())["model"]
    data["model"]["vocab"], data["model"]["merges"] = learned["vocab"], learned["merges"]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", *extra])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


def byte_tokenizer(special):
    """Byte-level BPE, as Qwen2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(special), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(special)
    return tokenizer


def clip_tokenizer():
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\s+"), "removed"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, end_of_word_suffix="</w>", show_progress=False,
                                  initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    start, end = (tokenizer.token_to_id(t) for t in ("<|startoftext|>", "<|endoftext|>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", start), ("<|endoftext|>", end)])
    return tokenizer, start, end


def picture(width, height, seed):
    """Smooth colours with some noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
    return Image.fromarray(np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8))


def randomize(model, seed=1):
    """Weights large enough that every part shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sorted(model.named_parameters()):
        noise = torch.randn(value.shape, generator=generator)
        with torch.no_grad():
            if "norm" in name and name.endswith("weight"):
                value.copy_(1 + 0.2 * noise)
            elif "logit_scale" in name:
                value.fill_(2.0)
            elif "logit_bias" in name:
                value.fill_(-1.5)
            elif "lm_head" in name:
                value.copy_(noise)
            else:
                value.copy_(noise * 0.25)
    return model.eval().float()


def folder_of(family):
    folder = OUT / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save(folder, model, tokenizer, tensors, processor=None):
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    if processor is not None:
        processor.save_pretrained(folder)
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder.name}: {size // 1024} KB; tensors: {list(load_file(folder / 'model.safetensors'))[:3]} ...")


@torch.no_grad()
def continue_greedily(model, ids, **inputs):
    """Prompt logits [T, V] and the greedy continuation, which an end token does not stop."""
    first = model(input_ids=ids, **inputs)
    tokens = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs, max_new_tokens=GREEDY,
                            min_new_tokens=GREEDY, do_sample=False, eos_token_id=-1, pad_token_id=0)
    return first.logits[0], tokens[0, ids.shape[1]:].int()


QUESTION = "How many dogs are there?"


def text_family(family, model, tokenizer, prompt):
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    logits, tokens = continue_greedily(model, ids)
    save(folder_of(family), model, tokenizer, {"ids": ids[0].int(), "logits": logits, "tokens": tokens})


def llama():
    rope = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64}
    model = randomize(transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, rope_parameters=rope)))
    text_family("llama", model, llama_tokenizer(), f"USER: {QUESTION} ASSISTANT:")


def mistral():
    config = transformers.MistralConfig(**TEXT | {"head_dim": 16}, sliding_window=None)
    text_family("mistral", randomize(transformers.MistralForCausalLM(config)), llama_tokenizer(),
                f"[INST] {QUESTION} [/INST]")


def qwen2():
    tokenizer = byte_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    config = transformers.Qwen2Config(**TEXT | {"tie_word_embeddings": True, "bos_token_id": None,
                                               "eos_token_id": tokenizer.token_to_id("<|im_end|>")})
    text_family("qwen2", randomize(transformers.Qwen2ForCausalLM(config)), tokenizer,
                "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n" + QUESTION +
                "<|im_end|>\n<|im_start|>assistant\n")


SIZES = [(50, 37), (30, 64)]
LABELS = ["a photo of a cat", "a photo of a dog", "a red boat"]


def write_pictures(folder, pictures):
    for i, image in enumerate(pictures):
        image.save(folder / f"picture{i}.png")


def clip():
    tokenizer, start, end = clip_tokenizer()
    text = {"vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 40, "projection_dim": 24, "bos_token_id": start,
            "eos_token_id": end, "pad_token_id": end}
    config = transformers.CLIPConfig(text_config=text, vision_config=VISION | {"projection_dim": 24}, projection_dim=24)
    model = randomize(transformers.CLIPModel(config))
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    dual(folder_of("clip"), model, tokenizer, processor, [tokenizer.encode(t).ids for t in LABELS], end)


def siglip():
    tokenizer = byte_tokenizer(["</s>"])
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    text = {"vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 40, "bos_token_id": end, "eos_token_id": end,
            "pad_token_id": end}
    config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
    model = randomize(transformers.SiglipModel(config))
    processor = transformers.SiglipImageProcessorPil(size={"height": 28, "width": 28})
    ids = [tokenizer.encode(t).ids for t in LABELS]
    dual(folder_of("siglip"), model, tokenizer, processor, [i + [end] * (40 - len(i)) for i in ids], end)


@torch.no_grad()
def dual(folder, model, tokenizer, processor, texts, pad):
    pictures = [picture(*size, seed) for seed, size in enumerate(SIZES)]
    write_pictures(folder, pictures)
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    width = max(map(len, texts))
    ids = torch.tensor([t + [pad] * (width - len(t)) for t in texts])
    out = model(input_ids=ids, pixel_values=pixels)
    vision = model.vision_model(pixels, output_hidden_states=True)
    save(folder, model, tokenizer, {
        "pixels": pixels, "vision.state0": vision.hidden_states[0], "vision.state1": vision.hidden_states[1],
        "image_embeds": out.image_embeds, "text_embeds": out.text_embeds,
        "logits": out.logits_per_image}, processor)


def expand(ids, token, counts):
    """Each image token as often as its picture has rows."""
    result, counts = [], list(counts)
    for i in ids:
        result += [i] * counts.pop(0) if i == token else [i]
    return torch.tensor([result])


# Two pictures around a text: interleaved, and in the batch of the tower.
PROMPT_ONE = f"USER: <image>\n{QUESTION} ASSISTANT:"
PROMPT_TWO = f"USER: <image>\nIs it like this?<image>\n{QUESTION} ASSISTANT:"


def llava():
    tokenizer = llama_tokenizer(["<image>", "<pad>"])
    image = tokenizer.token_to_id("<image>")
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION), text_config=transformers.LlamaConfig(**TEXT),
        image_token_index=image, image_seq_length=16)
    model = randomize(transformers.LlavaForConditionalGeneration(config))
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    folder = folder_of("llava")
    pictures = [picture(*size, seed) for seed, size in enumerate(SIZES)]
    write_pictures(folder, pictures)
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        features = model.get_image_features(pixels).pooler_output
    tensors = {"pixels": pixels, "features": torch.cat(list(features)).reshape(2, -1, 32)}
    for name, prompt, count in (("one", PROMPT_ONE, 1), ("two", PROMPT_TWO, 2)):
        ids = expand(tokenizer.encode(prompt).ids, image, [16] * count)
        logits, tokens = continue_greedily(model, ids, pixel_values=pixels[:count])
        tensors |= {f"{name}.ids": ids[0].int(), f"{name}.logits": logits[-1:], f"{name}.tokens": tokens}
    save(folder, model, tokenizer, tensors, processor)


def llava_next():
    tokenizer = llama_tokenizer(["<image>", "<pad>"])
    image = tokenizer.token_to_id("<image>")
    pinpoints = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
    config = transformers.LlavaNextConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.MistralConfig(**TEXT, sliding_window=None), image_token_index=image,
        image_grid_pinpoints=pinpoints)
    model = randomize(transformers.LlavaNextForConditionalGeneration(config))
    processor = transformers.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=pinpoints)
    folder = folder_of("llava_next")
    pictures = [picture(*size, seed) for seed, size in enumerate([(100, 61), (30, 64), (28, 28)])]
    write_pictures(folder, pictures)
    tensors, pixels, sizes, counts = {}, [], [], []
    for i, image_file in enumerate(pictures):
        one = processor([image_file], return_tensors="pt")
        pixels.append(one["pixel_values"])
        sizes.append(one["image_sizes"])
        with torch.no_grad():
            features = model.get_image_features(one["pixel_values"], one["image_sizes"]).pooler_output[0]
        counts.append(len(features))
        tensors[f"features{i}"] = features
        if i < 2:  # enough of them: a border on either axis
            tensors[f"pixels{i}"] = one["pixel_values"][0]
    for i in range(len(pictures)):
        ids = expand(tokenizer.encode(f"[INST] <image>\n{QUESTION} [/INST]").ids, image, [counts[i]])
        logits, tokens = continue_greedily(model, ids, pixel_values=pixels[i], image_sizes=sizes[i])
        tensors |= {f"ids{i}": ids[0].int(), f"logits{i}": logits[-1:], f"tokens{i}": tokens}
    save(folder, model, tokenizer, tensors, processor)


FAMILIES = [llama, mistral, qwen2, clip, siglip, llava, llava_next]
for make in FAMILIES:
    if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
        make()
