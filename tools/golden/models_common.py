"""What the golden scripts of src/models share: tiny tokenizers, pictures, random weights, prompts, continuations."""
import json
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
CORPUS = [
    "USER: what is unusual about this picture? ASSISTANT: a red dog on a blue boat.",
    "How many dogs and cats are there? There are three dogs and two cats.",
    "a photo of a cat, a photo of a dog, a photo of a boat",
] * 4
VOCABULARY = 320
GREEDY = 64
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


def save_expected(folder, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")
    print(f"{folder.name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) // 1024} KB")


def save(folder, model, tokenizer, tensors, processor=None):
    """`tokenizer`: of the library tokenizers, or wrapped by chat_tokenizer()."""
    model.save_pretrained(folder)
    if isinstance(tokenizer, Tokenizer):
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    else:
        tokenizer.save_pretrained(folder)
        plain = tokenizer.backend_tokenizer
        plain.save(str(folder / "tokenizer.json"), pretty=False)  # smaller
    if processor is not None:
        processor.save_pretrained(folder)
    save_expected(folder, tensors)


def chat_tokenizer(tokenizer, template, **tokens):
    """The tokenizer as transformers wraps it, with its roles and a chat template."""
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template, **tokens)


def chat_ids(tokenizer, messages):
    """The prompt that the reference makes of a conversation in text."""
    return torch.tensor([tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)])


def picture_ids(tokenizer, turns):
    """The same for turns of pictures (None) and texts, the user's first. As the reference's processors do, BOS is put in
    front unless the template has written it."""
    messages = []
    for i, parts in enumerate(turns):
        content = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in parts]
        messages.append({"role": "assistant" if i % 2 else "user", "content": content})
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    starts = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    return tokenizer(text, add_special_tokens=not starts)["input_ids"]


def expand(ids, token, counts):
    """Each image token as often as its picture has rows."""
    result, counts = [], list(counts)
    for i in ids:
        result += [i] * counts.pop(0) if i == token else [i]
    assert not counts
    return torch.tensor([result])


@torch.no_grad()
def continue_greedily(model, ids, **inputs):
    """Prompt logits [T, V] and the greedy continuation, which an end token does not stop."""
    first = model(input_ids=ids, **inputs)
    tokens = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs, max_new_tokens=GREEDY,
                            min_new_tokens=GREEDY, do_sample=False, eos_token_id=-1, pad_token_id=0)
    return first.logits[0], tokens[0, ids.shape[1]:].int()


def write_pictures(folder, pictures):
    for i, image in enumerate(pictures):
        image.save(folder / f"picture{i}.png")


QUESTION = "How many dogs are there?"
