#!/usr/bin/env python3
"""Writes tests/golden/text/sp_*: small SentencePiece models with their configurations, and what the references make of
strings.

Needs the Python packages `sentencepiece` (0.2) and `transformers` (4.57: the last with LlamaTokenizer and T5Tokenizer on
SentencePiece itself; protobuf). Trained on the text of text_tokenizers.py, whose corpus.json and strings.json must be there.

  sp_NAME/tokenizer.model or spiece.model, tokenizer_config.json, added_tokens.json
  sp_NAME/expected.json    {"strings": more strings than those of strings.json,
                            "rows": per string "parsed": ids with control tokens found and affixes (transformers);
                                    "plain": ids of the text as it is (sentencepiece), where nothing is added to the model;
                                    "skipped": text of the ids without the control tokens (sentencepiece)}
                           Null: the references do not say, because they find control tokens in plain text or do not
                           know the added tokens, or the model has control pieces that the class does not name.

Usage: text_sentencepiece.py tests/golden/text [NAME...]
"""
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile

import sentencepiece
import transformers

MORE = [
    "<start_of_turn>user\nHi <end_of_turn>\n", "a<start_of_turn>", "<s>", "</s>", " </s> ", "<s>Hello</s> world", "Hello <s>.",
    "<unk>", "a <unk> b", "<pad>", "<image>", "<image>\nWhat is this?", "What<image> is <image><image> this", "  <image>  x",
    "<mask> a <mask> b<mask>", "[NEW] a[NEW]b [NEW]", "<extra_id_0> a <extra_id_99>", "USER: <image>\nHi ASSISTANT: Hello.</s>USER: x",
    "▁", "▁▁", " ▁a", "a▁", "<0x0A>", "<0x0a>x", "\n\n", "a\n\nb\n\n\nc", "  two  spaces  ", "\u00a0x", "ｆｕｌｌ　ｗｉｄｔｈ ①②", "a\u200bb",
    "🦜🦜", "\U0001f9ff", "x\0y", "...", "1234567 89", "e\u0301", "ﬁ", "Ｈello", "\t\ttabs", "\r\nx\r\n", "            deep", "end   ",
    "</s></s>", "<s><s>a", " <s> a", "[NEW]", " [NEW]", "x<image>", "<image>", "<image> ", " <image>",
]


def expand(item):
    return item if isinstance(item, str) else item["repeat"] * item["count"]


def digest(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return {"count": len(ids), "fnv1a": f"{value:016x}"}


def train(path, texts, **options):
    # One text a line: the trainer reads lines.
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    # The model keeps the path that it is written to: a relative one, so that a new run gives the same bytes.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix="m", minloglevel=2, num_threads=1,
                                                 **options)
        shutil.copy("m.model", path)


LLAMA = dict(model_type="bpe", vocab_size=700, character_coverage=0.99, byte_fallback=True, split_digits=True,
             normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)
T5_NEW = dict(model_type="unigram", vocab_size=400, character_coverage=0.99, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
              normalization_rule_name="identity")
T5 = dict(model_type="unigram", vocab_size=400, character_coverage=0.99, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
GEMMA = dict(model_type="bpe", vocab_size=700, character_coverage=0.99, byte_fallback=True, split_digits=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
             normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
             control_symbols=["<mask>"], user_defined_symbols=["<start_of_turn>", "<end_of_turn>", "\n\n", "\n"])
SIGLIP = dict(model_type="unigram", vocab_size=500, character_coverage=0.995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
              normalization_rule_name="identity")
CODE_LLAMA = dict(LLAMA, user_defined_symbols=["▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"])
UNIGRAM = dict(model_type="unigram", vocab_size=600, character_coverage=0.99, byte_fallback=True, user_defined_symbols=["[NEW]"],
               normalization_rule_name="identity")


def added(content, special, **options):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": special,
            **options}


# name: (options of the trainer, file, class, tokenizer_config.json, added_tokens.json)
MODELS = {
    "sp_llama": (LLAMA, "tokenizer.model", transformers.LlamaTokenizer, {"tokenizer_class": "LlamaTokenizer", "legacy": True}, None),
    "sp_llama_new": (LLAMA, "tokenizer.model", transformers.LlamaTokenizer,
                     {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_eos_token": True}, None),
    "sp_llama_added": (LLAMA, "tokenizer.model", transformers.LlamaTokenizer,
                       {"tokenizer_class": "LlamaTokenizer", "legacy": False, "pad_token": "<pad>", "added_tokens_decoder": {
                           "0": added("<unk>", True), "1": added("<s>", True), "2": added("</s>", True),
                           "700": added("<image>", True), "701": added("<pad>", True), "702": added("[NEW]", False),
                           "703": added("<mask>", True, lstrip=True)}}, None),
    "sp_llama_old": (LLAMA, "tokenizer.model", transformers.LlamaTokenizer,
                     {"tokenizer_class": "LlamaTokenizer", "bos_token": {"__type": "AddedToken", **added("<s>", True)},
                      "eos_token": {"__type": "AddedToken", **added("</s>", True)}, "unk_token": "<unk>", "pad_token": None}, {"<image>": 701, "[NEW]": 700}),
    "sp_t5": (T5, "spiece.model", transformers.T5Tokenizer, {"tokenizer_class": "T5Tokenizer", "legacy": True}, None),
    "sp_t5_new": (T5_NEW, "spiece.model", transformers.T5Tokenizer, {"tokenizer_class": "T5Tokenizer", "legacy": False, "extra_ids": 10}, None),
    "sp_gemma": (GEMMA, "tokenizer.model", transformers.GemmaTokenizer,
                 {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "added_tokens_decoder": {
                     "0": added("<pad>", True), "1": added("<eos>", True), "2": added("<bos>", True), "3": added("<unk>", True),
                     "4": added("<mask>", True), "5": added("<start_of_turn>", True), "6": added("<end_of_turn>", True)}}, None),
    "sp_siglip": (SIGLIP, "spiece.model", transformers.SiglipTokenizer,
                  {"tokenizer_class": "SiglipTokenizer", "do_lower_case": True, "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>",
                   "added_tokens_decoder": {"1": added("</s>", True, lstrip=True, rstrip=True),
                                            "2": added("<unk>", True, lstrip=True, rstrip=True)}}, None),
    "sp_code_llama": (CODE_LLAMA, "tokenizer.model", transformers.CodeLlamaTokenizer, {"tokenizer_class": "CodeLlamaTokenizer"}, None),
    "sp_unigram": (UNIGRAM, "tokenizer.model", transformers.LlamaTokenizer, {"tokenizer_class": "LlamaTokenizer"}, None),
}
# Classes whose plain text is not what SentencePiece alone makes of it.
CHANGES_TEXT = (transformers.SiglipTokenizer, transformers.CodeLlamaTokenizer)
NAMES = {"sp_gemma": dict(bos_piece="<bos>", eos_piece="<eos>")}


def main():
    assert sentencepiece.__version__.startswith("0.2"), sentencepiece.__version__
    assert transformers.__version__.startswith("4.57"), transformers.__version__
    root = pathlib.Path(sys.argv[1]).resolve()
    texts = json.loads((root / "corpus.json").read_text())
    items = json.loads((root / "strings.json").read_text()) + MORE
    for name, (options, file, kind, config, extra) in MODELS.items():
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        folder = root / name
        folder.mkdir(exist_ok=True)
        train(folder / file, texts, **options, **NAMES.get(name, {}))
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
        if extra:
            (folder / "added_tokens.json").write_text(json.dumps(extra) + "\n")
        sp = sentencepiece.SentencePieceProcessor(model_file=str(folder / file))
        reference = kind.from_pretrained(str(folder))
        controls = {i for i, token in reference.added_tokens_decoder.items() if token.special} | {i for i in range(len(sp)) if sp.is_control(i) or sp.is_unknown(i)}
        word_added = any(not token.special for token in reference.added_tokens_decoder.values())
        legacy = config.get("legacy", kind not in CHANGES_TEXT)
        user_defined = set(options.get("user_defined_symbols", [])) & {t.content for t in reference.added_tokens_decoder.values() if t.special}
        unknown = {sp.id_to_piece(i) for i in range(len(sp)) if sp.is_control(i)} - {t.content for t in reference.added_tokens_decoder.values()}
        rows = []
        for item in items:
            text = expand(item)
            if any(piece in text for piece in unknown):
                rows.append({"parsed": None, "plain": None, "skipped": None})
                continue
            parsed = reference.encode(text)
            plain = skipped = None
            if not word_added and not any(token in text for token in user_defined):
                plain = sp.encode(text) if legacy else reference.encode(text, add_special_tokens=False, split_special_tokens=True)
            if all(i < len(sp) or i in controls for i in parsed) and legacy:
                skipped = sp.decode([i for i in parsed if i not in controls])
            if not isinstance(item, str):
                parsed, plain, skipped = digest(parsed), plain and digest(plain), None
            rows.append({"parsed": parsed, "plain": plain, "skipped": skipped})
        data = {"strings": MORE, "rows": rows}
        (folder / "expected.json").write_text(json.dumps(data, ensure_ascii=True, separators=(",", ":")) + "\n")
        print(name, len(sp), len(reference), sum(row["plain"] is None for row in rows), sum(row["skipped"] is None for row in rows))


main()
