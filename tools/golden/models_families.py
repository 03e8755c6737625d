#!/usr/bin/env python3
"""Golden folders of src/models: a tiny random checkpoint of each family, made with transformers, and what it computes.

    python3 tools/golden/models_families.py [family ...]

Writes tests/golden/models/<family>/: config.json, model.safetensors (f32), the tokenizer's files, chat_template.jinja,
preprocessor_config.json as transformers saves them, pictures, and expected.safetensors: pixel values, features, logits of
the prompt and the tokens of a greedy continuation. Needs torch, transformers 5 and pillow; nothing is downloaded. Pictures
are prepared by transformers' Pillow backend, to which the files' own pixels are exact.
"""
import sys

import torch
import transformers
from tokenizers import processors

from models_common import (QUESTION, TEXT, VISION, byte_tokenizer, chat_ids, chat_tokenizer, clip_tokenizer, continue_greedily,
                           expand, folder_of, llama_tokenizer, picture, picture_ids, randomize, save, write_pictures)

ROLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
TURNS = [{"role": "user", "content": QUESTION}]
LONG_TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "a photo of a cat"},
    {"role": "assistant", "content": "three dogs."},
    {"role": "user", "content": QUESTION},
]
# Texts only.
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + ' ' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
CHATML_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
# Parts in their order, as interleaved conversations need them; no BOS, which the processor adds.
PICTURE_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>\\n' }}{% else %}{{ part['text'] + ' ' }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
PARTS = "{% for part in message['content'] | selectattr('type', 'equalto', "
# All pictures of a turn before its text; BOS by the template.
INST_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    + PARTS + "'image') %}{{ '<image>\\n' }}{% endfor %}"
    + PARTS + "'text') %}{{ part['text'] }}{% endfor %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'][0]['text'] + eos_token }}{% endif %}{% endfor %}")
ONEVISION_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    + PARTS + "'image') %}{{ '<image>\\n' }}{% endfor %}"
    + PARTS + "'video') %}{{ '<video>\\n' }}{% endfor %}"
    + PARTS + "'text') %}{{ part['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def text_family(family, model, tokenizer, ids, **more):
    logits, tokens = continue_greedily(model, ids)
    save(folder_of(family), model, tokenizer, {"ids": ids[0].int(), "logits": logits, "tokens": tokens, **more})


def llama():
    rope = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64}
    model = randomize(transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, rope_parameters=rope)))
    tokenizer = chat_tokenizer(llama_tokenizer(), PLAIN_TEMPLATE, **ROLES)
    text_family("llama", model, tokenizer, chat_ids(tokenizer, TURNS), long_ids=chat_ids(tokenizer, LONG_TURNS)[0].int())


def mistral():
    """Without a template: the prompt is the one that the model card gives."""
    config = transformers.MistralConfig(**TEXT | {"head_dim": 16}, sliding_window=None)
    tokenizer = llama_tokenizer()
    text_family("mistral", randomize(transformers.MistralForCausalLM(config)), tokenizer,
                torch.tensor([tokenizer.encode(f"[INST] {QUESTION} [/INST]").ids]))


def qwen2():
    plain = byte_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    config = transformers.Qwen2Config(**TEXT | {"tie_word_embeddings": True, "bos_token_id": None,
                                               "eos_token_id": plain.token_to_id("<|im_end|>")})
    tokenizer = chat_tokenizer(plain, CHATML_TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    text_family("qwen2", randomize(transformers.Qwen2ForCausalLM(config)), tokenizer, chat_ids(tokenizer, TURNS),
                long_ids=chat_ids(tokenizer, LONG_TURNS)[0].int())


SIZES = [(50, 37), (30, 64)]
LABELS = ["a photo of a cat", "a photo of a dog", "a red boat"]


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


# Two pictures around a text: interleaved, and in the batch of the tower; three in two turns.
INTERLEAVED = {
    "one": ([[None, QUESTION]], [0]),
    "two": ([[None, "Is it like this?", None, QUESTION]], [0, 1]),
    "turns": ([[None, "a photo of a cat", None], ["three dogs."], ["and a boat", None, QUESTION]], [0, 1, 0]),
}


def llava():
    tokenizer = chat_tokenizer(llama_tokenizer(["<image>", "<pad>"]), PICTURE_TEMPLATE, **ROLES)
    image = tokenizer.convert_tokens_to_ids("<image>")
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
    for name, (turns, shown) in INTERLEAVED.items():
        ids = expand(picture_ids(tokenizer, turns), image, [16] * len(shown))
        logits, tokens = continue_greedily(model, ids, pixel_values=pixels[shown])
        tensors |= {f"{name}.ids": ids[0].int(), f"{name}.logits": logits[-1:], f"{name}.tokens": tokens}
    save(folder, model, tokenizer, tensors, processor)


def llava_next():
    tokenizer = chat_tokenizer(llama_tokenizer(["<image>", "<pad>"]), INST_TEMPLATE, **ROLES)
    image = tokenizer.convert_tokens_to_ids("<image>")
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
    tensors, counts = {}, []
    for i, image_file in enumerate(pictures):
        one = processor([image_file], return_tensors="pt")
        with torch.no_grad():
            features = model.get_image_features(one["pixel_values"], one["image_sizes"]).pooler_output[0]
        counts.append(len(features))
        tensors[f"features{i}"] = features
        if i < 2:  # enough of them: a border on either axis
            tensors[f"pixels{i}"] = one["pixel_values"][0]
        ids = expand(picture_ids(tokenizer, [[None, QUESTION]]), image, counts[-1:])
        logits, tokens = continue_greedily(model, ids, **one)
        tensors |= {f"ids{i}": ids[0].int(), f"logits{i}": logits[-1:], f"tokens{i}": tokens}
    # Two pictures of different grids in one turn.
    both = processor([pictures[1], pictures[2]], return_tensors="pt")
    ids = expand(picture_ids(tokenizer, [[None, "Is it like this?", None, QUESTION]]), image, counts[1:])
    logits, tokens = continue_greedily(model, ids, **both)
    tensors |= {"two.ids": ids[0].int(), "two.logits": logits[-1:], "two.tokens": tokens}
    save(folder, model, tokenizer, tensors, processor)


def llava_onevision():
    plain = byte_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"])
    tokenizer = chat_tokenizer(plain, ONEVISION_TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    image, video = plain.token_to_id("<image>"), plain.token_to_id("<video>")
    # An odd grid of 3 x 3 patches, and a limit of rows that large grids exceed.
    side, pinpoints = 21, [[21 * h, 21 * w] for h in range(1, 4) for w in range(1, 4)]
    text = TEXT | {"eos_token_id": plain.token_to_id("<|im_end|>"), "bos_token_id": None, "tie_word_embeddings": True}
    config = transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(**VISION | {"image_size": side}, vision_use_head=False),
        text_config=transformers.Qwen2Config(**text), image_token_index=image, video_token_index=video,
        image_grid_pinpoints=pinpoints, vision_aspect_ratio="anyres_max_2", tie_word_embeddings=True)
    model = randomize(transformers.LlavaOnevisionForConditionalGeneration(config))
    processor = transformers.LlavaOnevisionImageProcessorPil(size={"height": side, "width": side},
                                                             image_grid_pinpoints=pinpoints)
    folder = folder_of("llava_onevision")
    pictures = [picture(*size, seed) for seed, size in enumerate([(62, 50), (20, 41), (21, 20)])]
    write_pictures(folder, pictures)
    tensors = {}
    for i, image_file in enumerate(pictures):
        one = processor([image_file], return_tensors="pt")
        with torch.no_grad():
            features = model.get_image_features(one["pixel_values"], one["image_sizes"]).pooler_output[0]
        tensors[f"features{i}"] = features
        if i > 0:  # enough of them: the first has ten views
            tensors[f"pixels{i}"] = one["pixel_values"][0]
        ids = expand(picture_ids(tokenizer, [[None, QUESTION]]), image, [len(features)])
        logits, tokens = continue_greedily(model, ids, pixel_values=one["pixel_values"], image_sizes=one["image_sizes"])
        tensors |= {f"ids{i}": ids[0].int(), f"logits{i}": logits[-1:], f"tokens{i}": tokens}
    # Several pictures have one view each.
    several = processor([[pictures[0], pictures[1]]], return_tensors="pt")
    ids = expand(picture_ids(tokenizer, [[None, "Is it like this?", None, QUESTION]]), image, [10, 10])
    logits, tokens = continue_greedily(model, ids, **several)
    tensors |= {"two.pixels": several["pixel_values"].flatten(0, 1), "two.ids": ids[0].int(), "two.logits": logits[-1:],
                "two.tokens": tokens}
    # Frames of a video: one view each, pooled, one newline behind the last.
    frames = [picture(30, 24, seed) for seed in (5, 6, 7)]
    for i, frame in enumerate(frames):
        frame.save(folder / f"frame{i}.png")
    views = transformers.SiglipImageProcessorPil(
        size={"height": side, "width": side}, image_mean=processor.image_mean, image_std=processor.image_std,
        resample=processor.resample)(frames, return_tensors="pt")["pixel_values"][None]
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": QUESTION}]}], add_generation_prompt=True,
        tokenize=False)
    ids = expand(tokenizer(prompt)["input_ids"], video, [len(frames) * 4 + 1])
    with torch.no_grad():
        features = model.get_video_features(views).pooler_output[0]
    logits, tokens = continue_greedily(model, ids, pixel_values_videos=views)
    tensors |= {"video.features": features, "video.ids": ids[0].int(), "video.logits": logits[-1:], "video.tokens": tokens}
    save(folder, model, tokenizer, tensors, processor)


FAMILIES = [llama, mistral, qwen2, clip, siglip, llava, llava_next, llava_onevision]
if __name__ == "__main__":
    for make in FAMILIES:
        if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
            make()
