#!/usr/bin/env python3
"""Golden folders of src/models: the same tiny models in other layouts than Hugging Face's.

    python3 tools/golden/models_layouts.py

Writes into tests/golden/models/:
  llava_original       LLaVA 1.5 as its own repository saves it: two pytorch_model-*.bin, the tower in a folder of its own
  llava_next_original  LLaVA 1.6 on Mistral, the tower inside
  llava_gguf, llava_next_gguf   the same two as GGUF pairs; the first with the names of the first converters
  gguf                 llama.gguf and qwen2.gguf: the text models of models_families.py
with pictures and expected.safetensors: pixel values, features, prompt ids (-200 where a picture stands), logits, tokens.
The values come from transformers' classes with the weights put under their names there; pictures are prepared, and prompts
cut, as the original repository does it. Needs what models_families.py needs, and the packages sentencepiece and gguf;
models_families.py must have run.
"""
import contextlib
import json
import math
import tempfile

import gguf
import numpy as np
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer

from models_common import (CORPUS, OUT, QUESTION, TEXT, VISION, VOCABULARY, continue_greedily, expand, folder_of, picture,
                           randomize, save_expected, write_pictures)

SYSTEM = ("A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
          "and polite answers to the human's questions.")
IMAGE = -200
PLACE = VOCABULARY + 8  # a row of the embedding that no token has: stands for pictures in the reference's ids
TOWER = "clip-vit-tiny-patch7-28"


def train_sentencepiece():
    """The bytes of a model like Llama's."""
    texts = [*CORPUS, f"{SYSTEM} USER: {QUESTION} ASSISTANT:", f"[INST] {QUESTION} [/INST]"]
    # The model keeps the path that it is written to: a relative one, so that a new run gives the same bytes.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_prefix="m", minloglevel=2, num_threads=1, model_type="bpe",
            vocab_size=VOCABULARY, byte_fallback=True, split_digits=True, normalization_rule_name="identity",
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)
        with open("m.model", "rb") as file:
            return file.read()


def cut_ids(tokenizer, prompt):
    """Every part between pictures by itself, <s> once in front."""
    ids = [tokenizer.bos_id()]
    for i, part in enumerate(prompt.split("<image>")):
        ids += ([IMAGE] if i else []) + tokenizer.encode(part)
    return ids


def pad_to_square(image, color):
    from PIL import Image
    side = max(image.size)
    square = Image.new("RGB", (side, side), color)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def in_half(model):
    """Published checkpoints are f16: the reference computes in f32 with weights that f16 holds. (Buffers, the frequencies of
    rotary positions, are none of them.)"""
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(value.half().float())
    return model


def original_names(state):
    """Names as LLaVA's repository has them; the tower's apart."""
    own, tower = {}, {}
    for name, value in state.items():
        name = name.removeprefix("model.")
        value = value.half().contiguous()
        if name.startswith("vision_tower."):
            rest = name.removeprefix("vision_tower.").removeprefix("vision_model.")
            tower["vision_model." + rest] = value
        elif name.startswith("multi_modal_projector."):
            own["model.mm_projector." + name.split(".", 1)[1].replace("linear_1", "0").replace("linear_2", "2")] = value
        elif name == "image_newline":
            own["model.image_newline"] = value
        elif name == "lm_head.weight":
            own[name] = value
        else:
            own["model." + name.removeprefix("language_model.")] = value
    return own, tower


def write_original(folder, model_type, text, model, processor, sentencepiece_bytes, inside, **more):
    own, tower = original_names(model.state_dict())
    config = text | {
        "architectures": ["LlavaLlamaForCausalLM"], "model_type": model_type, "hidden_act": "silu", "torch_dtype": "float16",
        "tie_word_embeddings": False, "mm_vision_tower": f"openai/{TOWER}", "mm_projector_type": "mlp2x_gelu",
        "mm_hidden_size": VISION["hidden_size"], "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False, "mm_use_im_patch_token": False, "use_mm_proj": True, **more}
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "tokenizer.model").write_bytes(sentencepiece_bytes)
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "legacy": False, "model_max_length": 512, "tokenizer_class": "LlamaTokenizer"}))
    tower_folder = folder / TOWER
    tower_folder.mkdir()
    processor.save_pretrained(tower_folder)
    tower_config = {"model_type": "clip", "vision_config": VISION | {"model_type": "clip_vision_model"}}
    (tower_folder / "config.json").write_text(json.dumps(tower_config, indent=1))
    if inside:
        own |= {"model.vision_tower.vision_tower." + name: value for name, value in tower.items()}
        torch.save(own, folder / "pytorch_model.bin")
        return
    # The tower's own checkpoint is of both of CLIP's towers.
    torch.save(tower | {"text_model.final_layer_norm.bias": torch.zeros(4), "logit_scale": torch.tensor(2.0)},
               tower_folder / "pytorch_model.bin")
    names = sorted(own)
    shards = {"pytorch_model-00001-of-00002.bin": names[:10], "pytorch_model-00002-of-00002.bin": names[10:]}
    for shard, part in shards.items():
        torch.save({name: own[name] for name in part}, folder / shard)
    index = {"metadata": {"total_size": 0}, "weight_map": {name: shard for shard, part in shards.items() for name in part}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1))


class Pair:
    """A model and its mmproj in GGUF."""

    def __init__(self, folder, text, sentencepiece_bytes):
        self.folder, self.text, self.sentencepiece = folder, text, sentencepiece_bytes

    def write_model(self, state, file_name):
        writer = gguf.GGUFWriter(self.folder / file_name, "llama")
        add_decoder(writer, self.text, TEXT["vocab_size"])
        add_sentencepiece(writer, self.sentencepiece)
        for name, value in state.items():
            name = name.removeprefix("model.")
            if name.startswith("language_model."):
                add_matrix(writer, "model." + name.removeprefix("language_model."), value, self.text, np.float16)
            elif name == "lm_head.weight":
                add_matrix(writer, name, value, self.text, np.float16)
        finish(writer)

    def write_vision(self, state, processor, file_name, first_names, **more):
        writer = gguf.GGUFWriter(self.folder / file_name, "clip")
        for key, value in {"has_text_encoder": False, "has_vision_encoder": True, "has_llava_projector": True,
                           "use_gelu": False}.items():
            writer.add_bool(f"clip.{key}", value)
        writer.add_string("clip.projector_type", "mlp")
        blocks = VISION["num_hidden_layers"] - 1  # the projector reads the output of the last but one
        for key, value in {"image_size": VISION["image_size"], "patch_size": VISION["patch_size"],
                           "embedding_length": VISION["hidden_size"], "feed_forward_length": VISION["intermediate_size"],
                           "projection_dim": TEXT["hidden_size"], "block_count": blocks,
                           "attention.head_count": VISION["num_attention_heads"]}.items():
            writer.add_uint32(f"clip.vision.{key}", value)
        writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
        writer.add_array("clip.vision.image_mean", [float(v) for v in processor.image_mean])
        writer.add_array("clip.vision.image_std", [float(v) for v in processor.image_std])
        for key, value in more.items():
            (writer.add_string if isinstance(value, str) else writer.add_array)(f"clip.vision.{key}", value)
        up, down = ("ffn_down", "ffn_up") if first_names else ("ffn_up", "ffn_down")
        modules = {
            "embeddings.class_embedding": "v.class_embd", "embeddings.patch_embedding": "v.patch_embd",
            "embeddings.position_embedding": "v.position_embd", "pre_layrnorm": "v.pre_ln", "post_layernorm": "v.post_ln"}
        inner = {"layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
                 "self_attn.v_proj": "attn_v", "self_attn.out_proj": "attn_out", "mlp.fc1": up, "mlp.fc2": down}
        for name, value in state.items():
            name = name.removeprefix("model.")
            if name.startswith("multi_modal_projector."):
                name = name.replace("multi_modal_projector.linear_1", "mm.0").replace("multi_modal_projector.linear_2", "mm.2")
            elif name == "image_newline":
                name = "model.image_newline"
            elif name.startswith("vision_tower."):
                name = name.removeprefix("vision_tower.").removeprefix("vision_model.")
                if name.startswith("encoder.layers."):
                    number, rest = name.removeprefix("encoder.layers.").split(".", 1)
                    module, kind = rest.rsplit(".", 1)
                    if int(number) >= blocks:
                        continue
                    name = f"v.blk.{number}.{inner[module]}.{kind}"
                else:
                    module = next(m for m in modules if name.startswith(m))
                    if module == "post_layernorm" and first_names:
                        continue
                    name = modules[module] + name.removeprefix(module)
            else:
                continue
            array = value.numpy()
            writer.add_tensor(name, array.astype(np.float16 if array.ndim > 1 else np.float32))
        finish(writer)


def add_decoder(writer, text, rows):
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(text["hidden_size"] // text["num_attention_heads"])
    writer.add_vocab_size(rows)


def pad_tokens(tokens, scores, types):
    """As the converters do: the embedding's further rows are tokens that no text has."""
    for i in range(len(tokens), TEXT["vocab_size"]):
        tokens.append(f"[PAD{i}]")
        scores.append(-1000.0)
        types.append(gguf.TokenType.UNUSED)


def add_sentencepiece(writer, model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    tokens, scores, types = [], [], []
    for i in range(processor.get_piece_size()):
        tokens.append(processor.id_to_piece(i))
        scores.append(processor.get_score(i))
        types.append(gguf.TokenType.UNKNOWN if processor.is_unknown(i) else gguf.TokenType.CONTROL if processor.is_control(i)
                     else gguf.TokenType.BYTE if processor.is_byte(i) else gguf.TokenType.NORMAL)
    pad_tokens(tokens, scores, types)
    add_llama_tokens(writer, tokens, scores, types)


def add_llama_tokens(writer, tokens, scores, types):
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def add_matrix(writer, name, value, text, matrix_type, reorder=True):
    module, kind = name.rsplit(".", 1)
    array = value.numpy()
    if module.startswith("model.layers."):
        number, module = module.removeprefix("model.layers.").split(".", 1)
        heads = {"self_attn.q_proj": text["num_attention_heads"], "self_attn.k_proj": text["num_key_value_heads"]}.get(module)
        if heads is not None and reorder:  # the two halves of each head's rows, interleaved
            halves = array.reshape(heads, 2, -1, *array.shape[1:])
            array = np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(array.shape)
        name = f"blk.{number}.{NAMES[module]}"
    else:
        name = OUTER[module]
    writer.add_tensor(f"{name}.{kind}", array.astype(matrix_type if array.ndim > 1 else np.float32))


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llava_1_5(model_bytes):
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
    config = transformers.LlavaConfig(vision_config=transformers.CLIPVisionConfig(**VISION), image_seq_length=16,
                                      text_config=transformers.LlamaConfig(**TEXT), image_token_index=PLACE)
    model = in_half(randomize(transformers.LlavaForConditionalGeneration(config), seed=5))
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    color = tuple(int(mean * 255) for mean in processor.image_mean)
    folder = folder_of("llava_original")
    pictures = [picture(50, 37, 0), picture(30, 65, 1)]
    write_pictures(folder, pictures)
    pixels = processor([pad_to_square(image, color) for image in pictures], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        features = torch.stack(list(model.get_image_features(pixels).pooler_output))
    tensors = {"pixels": pixels, "features": features}
    for name, question, shown in (("one", f"<image>\n{QUESTION}", [0]), ("two", f"<image>\n<image>\n{QUESTION}", [0, 1])):
        ids = cut_ids(tokenizer, f"{SYSTEM} USER: {question} ASSISTANT:")
        places = expand([PLACE if i == IMAGE else i for i in ids], PLACE, [16] * len(shown))
        logits, tokens = continue_greedily(model, places, pixel_values=pixels[shown])
        tensors |= {f"{name}.ids": torch.tensor(ids).int(), f"{name}.logits": logits[-1:], f"{name}.tokens": tokens}
    write_original(folder, "llava_llama", TEXT, model, processor, model_bytes, inside=False, image_aspect_ratio="pad")
    save_expected(folder, tensors)
    pair = Pair(folder_of("llava_gguf"), TEXT, model_bytes)
    pair.write_model(model.state_dict(), "llava-tiny-f16.gguf")
    pair.write_vision(model.state_dict(), processor, "mmproj-model-f16.gguf", first_names=True)


def llava_1_6(model_bytes):
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
    grid = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]  # width, height
    turned = [[height, width] for width, height in grid]
    config = transformers.LlavaNextConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION), image_token_index=PLACE, image_grid_pinpoints=turned,
        text_config=transformers.MistralConfig(**TEXT, sliding_window=None))
    model = in_half(randomize(transformers.LlavaNextForConditionalGeneration(config), seed=6))
    processor = transformers.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=turned)
    folder = folder_of("llava_next_original")
    # The last one is as well shown by one grid as by another: the first of the list counts, and what its numbers mean.
    pictures = [picture(100, 61, 0), picture(28, 28, 2)]
    write_pictures(folder, pictures)
    tensors = {}
    for i, image in enumerate(pictures):
        one = processor([image], return_tensors="pt")
        with torch.no_grad():
            features = model.get_image_features(one["pixel_values"], one["image_sizes"]).pooler_output[0]
        ids = cut_ids(tokenizer, f"[INST] <image>\n{QUESTION} [/INST]")
        places = expand([PLACE if i == IMAGE else i for i in ids], PLACE, [len(features)])
        logits, tokens = continue_greedily(model, places, **one)
        tensors |= {f"pixels{i}": one["pixel_values"][0], f"features{i}": features, f"ids{i}": torch.tensor(ids).int(),
                    f"logits{i}": logits[-1:], f"tokens{i}": tokens}
    clip = transformers.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    write_original(folder, "llava_mistral", TEXT | {"sliding_window": None}, model, clip, model_bytes, inside=True,
                   image_aspect_ratio="anyres", mm_patch_merge_type="spatial_unpad", image_grid_pinpoints=grid)
    save_expected(folder, tensors)
    pair = Pair(folder_of("llava_next_gguf"), TEXT, model_bytes)
    pair.write_model(model.state_dict(), "llava-tiny-f16.gguf")
    pair.write_vision(model.state_dict(), clip, "mmproj-model-f16.gguf", first_names=False,
                      mm_patch_merge_type="spatial_unpad", image_grid_pinpoints=[side for pair_ in grid for side in pair_])


def llama3_divisors(rope, head_dim):
    """What the frequencies of rotary positions are divided by, for "rope_type": "llama3"."""
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    divisors = []
    for i in range(0, head_dim, 2):
        turns = original * rope["rope_theta"] ** (-i / head_dim) / (2 * math.pi)
        keep = min(max((turns - low) / (high - low), 0.0), 1.0)
        divisors.append(1 / ((1 - keep) / factor + keep))
    return np.array(divisors, dtype=np.float32)


def text_models():
    folder = folder_of("gguf")
    # llama: its tokenizer's merges stand in the order of their tokens, so that these are the scores of a SentencePiece model.
    source = OUT / "llama"
    rope = json.loads((source / "config.json").read_text())["rope_parameters"]
    vocabulary = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    kinds = {"<unk>": gguf.TokenType.UNKNOWN, "<s>": gguf.TokenType.CONTROL, "</s>": gguf.TokenType.CONTROL}
    types = [kinds.get(t, gguf.TokenType.BYTE if t.startswith("<0x") else gguf.TokenType.NORMAL) for t in tokens]
    scores = [float(-i) for i in range(len(tokens))]
    pad_tokens(tokens, scores, types)
    writer = gguf.GGUFWriter(folder / "llama.gguf", "llama")
    add_decoder(writer, TEXT, TEXT["vocab_size"])
    add_llama_tokens(writer, tokens, scores, types)
    writer.add_chat_template((source / "chat_template.jinja").read_text())
    writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, TEXT["hidden_size"] // TEXT["num_attention_heads"]))
    for name, value in load_file(source / "model.safetensors").items():
        add_matrix(writer, name, value, TEXT, np.float32)
    finish(writer)

    source = OUT / "qwen2"
    data = json.loads((source / "tokenizer.json").read_text())
    full = Tokenizer.from_file(str(source / "tokenizer.json"))
    added = {token["id"] for token in data["added_tokens"]}
    tokens = [full.id_to_token(i) for i in range(full.get_vocab_size())]
    types = [gguf.TokenType.CONTROL if i in added else gguf.TokenType.NORMAL for i in range(len(tokens))]
    pad_tokens(tokens, [], types)
    writer = gguf.GGUFWriter(folder / "qwen2.gguf", "qwen2")
    add_decoder(writer, TEXT, TEXT["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
    writer.add_eos_token_id(full.token_to_id("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template((source / "chat_template.jinja").read_text())
    for name, value in load_file(source / "model.safetensors").items():
        add_matrix(writer, name, value, TEXT, np.float32, reorder=False)
    finish(writer)


if __name__ == "__main__":
    model_bytes = train_sentencepiece()
    llava_1_5(model_bytes)
    llava_1_6(model_bytes)
    text_models()
    for name in ("llava_gguf", "llava_next_gguf", "gguf"):
        print(f"{name}: {sum(f.stat().st_size for f in (OUT / name).iterdir()) // 1024} KB")
