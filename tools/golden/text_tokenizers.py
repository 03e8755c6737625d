#!/usr/bin/env python3
"""Writes tests/golden/text: small tokenizers in the style of published ones, and what the reference makes of strings.

Needs the Python packages `tokenizers` (0.23) and `sentencepiece` (0.2: it makes the table of a normalizer). Everything is made
from the text in this script.

  corpus.json                what the tokenizers are trained on: a list of texts
  strings.json               the strings that are encoded; {"repeat", "count"} for long ones
  NAME.tokenizer.json        a tokenizer
  NAME.expected.json         per string: ids with control tokens parsed and affixes, ids of plain text, decoded text
  components.json            results of single normalizers, pre-tokenizers and decoders

Lists of ids of long strings are given by their length and the FNV-1a hash of the ids as little-endian 32-bit numbers.

A new run changes clip, metaspace, llama2 and unknowns: the reference's trainer numbers suffixed characters, and chooses
among equally rare ones, in random order. The other tokenizers are also what train_bpe() is compared with.

Usage: text_tokenizers.py tests/golden/text [NAME...]
"""
import base64
import contextlib
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CLIP = (r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SENTENCES = [
    "The crane lifts three steel beams while two workers in yellow helmets watch from the ground.",
    "A red circle is left of the blue square, and the green triangle is above both of them.",
    "How many people wear a helmet? Two of the five people wear one, so three do not.",
    "She didn't say that they'd come, but we're sure they'll be here before it's dark.",
    "In 1969 the temperature was -12.5 degrees; by 2024 it had risen to 3.75 degrees (about 16%).",
    "def count(items):\n    total = 0\n    for item in items:\n        total += item['n']\n    return total\n",
    "The quick brown fox jumps over the lazy dog; the dog doesn't care, and neither do the hens.",
    "Counting the cells in the picture took a minute: 412 red ones, 7 white ones and 23 platelets.",
    "\tIndented lines,\r\nold line ends\r\nand   several   spaces   in a row.",
    "Der Kran hebt drei Stahlträger, während zwei Arbeiter mit gelben Helmen vom Boden aus zusehen.",
    "La grue soulève trois poutres d'acier pendant que deux ouvriers, casqués de jaune, regardent.",
    "Кран поднимает три стальные балки, пока двое рабочих в жёлтых касках смотрят с земли.",
    "クレーンが三本の鉄骨を持ち上げ、黄色いヘルメットの作業員が二人、地上から見ている。",
    "起重机吊起三根钢梁，两名戴黄色安全帽的工人在地面上观看。",
    "크레인이 강철 빔 세 개를 들어 올리고 노란 헬멧을 쓴 작업자 두 명이 지켜본다.",
    "क्रेन तीन स्टील बीम उठाती है और पीले हेलमेट पहने दो मज़दूर ज़मीन से देखते हैं।",
    "ترفع الرافعة ثلاث عوارض فولاذية بينما يشاهد عاملان يرتديان خوذتين صفراوين من الأرض.",
    "Ο γερανός σηκώνει τρεις χαλύβδινες δοκούς ενώ δύο εργάτες κοιτάζουν από κάτω.",
    "Emoji help too: 👷 👷🏽‍♀️ 👨‍👩‍👧‍👦 ❤️ 🇩🇪 and ✅ or ❌.",
    "Prices: $4.99, €12,50, £7; e-mail: someone@example.org; path: C:\\temp\\a_b-c.txt; 50/50.",
]
NOUNS = "worker helmet beam crane picture circle square cell camera engine bottle metal paper cat dog street".split()
VERBS = "holds watches finds counts lifts paints moves drops measures describes".split()
ADJECTIVES = "red small yellow broken heavy quiet second old bright wooden".split()


def corpus():
    rng = random.Random(20240501)
    lines = list(SENTENCES)
    for _ in range(400):
        a, b = rng.choice(ADJECTIVES), rng.choice(ADJECTIVES)
        lines.append(f"The {a} {rng.choice(NOUNS)} {rng.choice(VERBS)} {rng.choice(['the', 'a', 'every'])} {b} "
                     f"{rng.choice(NOUNS)}{rng.choice(['.', '!', '?', ', it' + chr(39) + 's ' + str(rng.randint(0, 9999))])}")
        if rng.random() < 0.15:
            lines.append(rng.choice(SENTENCES))
    return [line.replace("\r", "").replace("\n", " ") if i >= len(SENTENCES) else line for i, line in enumerate(lines)]


def strings():
    special = ("Hello <|im_end|> <|im_start|>system\nYou are evil<|endoftext|></s><s>[INST] <|begin_of_text|> "
               "<|end_of_text|><|startoftext|> <image> <0x0A> <unk>")
    out = SENTENCES + [
        "", " ", "  ", "a", "\n", "\r\n", "\t", "\0", "a\0b\0", "hello", " hello", "  hello", "hello ", "hello  ",
        "hello\n", "hello \n world", "hello\n\nworld", "\n\n  \n x", "  \r\n\r\n  y", "x \t y", "x\u00a0y\u00a0 z",
        "x\u3000y", "x\u2028y\u2029z", "x\u180ey", "x\u200by\u200dz\ufeff", "\ufeffBOM",
        "I'm I'M we'LL they'Re 'S 'T 'Ve it\u2019s O'Neil's 'twas 'quoted' ''s '' ' 'd'd", "'\u017f 'K \u212a \u017fs",
        "1 12 123 1234 12345 1234567890 3.14159 1,000,000 0x1F ½ ² Ⅷ ٣٤٥ ९८ 〇 一二三",
        "!!! ... ??? --- === *** // \\\\ `` ~~ @@ ## $$ %% ^^ && (()) [[]] {{}} <<>> ||",
        "snake_case camelCase PascalCase kebab-case SCREAMING_CASE x1y2z3 a.b.c",
        "naïve café résumé Zürich Ångström ŒUVRE ŁÓDŹ İstanbul ǅ ﬁ ﬂ",
        "cafe\u0301 nai\u0308ve A\u030a q\u0307\u0323 \u1112\u1161\u11ab \u0958 ① ㎏ ﷺ Ａｂｃ ½",
        "👍👍🏿 👩‍👩‍👧‍👦 🏳️‍🌈 🇺🇳🇪🇺 🧑🏽‍🚀 ☺️ 1️⃣ \U0001fae8",
        "हिन्दी में क्षमा करें, ज़रा धीरे! संस्कृतम्", "தமிழ் தெலுగు ಕನ್ನಡ മലയാളം",
        "中文字符测试，没有空格。日本語のテスト！한국어 시험?", "𠮷野家 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 \U00031350 \U00010d4a",
        "العربية: السَّلامُ عَلَيْكُم ١٢٣ \u200fRTL\u200e עברית שָׁלוֹם", "ไทยไม่มีช่องว่าง ພາສາລາວ ខ្មែរ မြန်မာ",
        "Z̸̡̛a̷l̶g̴o̵ t̴e̸x̷t̶", "\u0301 starts with a mark", "a\u0300\u0301\u0302\u0303\u0304\u0305",
        "tab\tseparated\tvalues\n1\t2\t3\n", "\x01\x02\x1b[31mred\x1b[0m\x7f\x80\x85\x9f", "\x1c\x1d\x1e\x1f x",
        "\ue000\uf8ff\U000f0000\U0010ffff \ufffd \ufffe \uffff", "▁under ▁▁score ▁", "Ġbyte Ċ alphabet ĉ",
        special, "<|im_end|>", " <|im_end|> ", "<|im_end|", "<|im_end|><|im_end|>", "x<|im_end|>y",
        "  <mask>  next <mask>", "wordnew newword new word-new new.", "NEW New nEw", "Straße STRASSE ǆ",
        "http://example.org/a?b=c&d=%20#e ftp://x", "{\"key\": [1, 2.5, null, true], \"s\": \"\\u00e9\\n\"}",
        "if (x<y && y>z) { return a[i]->b; } // comment\n\t\t/* more */\n",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich",
        "supercalifragilisticexpialidocious Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "the the the the the the the the the the the the the the the the the the the the the the the the the the the",
        {"repeat": " ", "count": 10000}, {"repeat": "\n", "count": 3000}, {"repeat": " \n", "count": 1500},
        {"repeat": "a", "count": 1000000}, {"repeat": "helmet", "count": 20000}, {"repeat": "é", "count": 5000},
        {"repeat": "👷🏽", "count": 1000}, {"repeat": "!", "count": 5000}, {"repeat": "7", "count": 5000},
        {"repeat": "The crane lifts 12 beams, doesn't it?\n", "count": 9000},
        {"repeat": "数", "count": 3000},
    ]
    rng = random.Random(7)
    alphabet = list("abcdeXYZ0189  \t\n\r'’.,!?-_/<>|sStTmMdDrReEvVlL") + list("äßéñЖЩщλΩ中文字ひカ한글अआिاب١٢½²ⅷ👍🏽\u200d\u0301\u00a0\u2003\u3000\u0085ſ")
    for length in (3, 5, 8, 12, 20, 40, 80) * 6:
        out.append("".join(rng.choice(alphabet) for _ in range(length)))
    return out


def expand(item):
    return item if isinstance(item, str) else item["repeat"] * item["count"]


def digest(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return {"count": len(ids), "fnv1a": f"{value:016x}"}


def byte_level(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train(tokenizer, texts, vocab_size, special, **options):
    options.setdefault("initial_alphabet", pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make_gpt2(texts):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return train(t, texts, 600, ["<|endoftext|>"], min_frequency=2)


def make_roberta(texts):
    """GPT-2 with a prefix space, a mask that takes the space before it, and added words."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    train(t, texts, 500, ["<s>", "</s>", "<unk>"], min_frequency=2)
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    t.add_tokens([AddedToken("new", single_word=True), AddedToken("[R]", rstrip=True), AddedToken("  ")])
    return t


def make_llama3(texts):
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = byte_level(LLAMA3)
    t.decoder = decoders.ByteLevel()
    train(t, texts, 640, ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"], min_frequency=2)
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[("<|begin_of_text|>", 0)])])
    return t


def make_qwen2(texts):
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = byte_level(QWEN2)
    t.decoder = decoders.ByteLevel()
    train(t, texts, 620, [], min_frequency=2)
    t.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("<tool_call>", normalized=False)])
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def make_o200k(texts):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = byte_level(O200K)
    t.decoder = decoders.ByteLevel()
    return train(t, texts, 560, ["<|endoftext|>"], min_frequency=2)


def make_clip(texts):
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    train(t, texts, 800, ["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>", min_frequency=2)
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False,
                                                    add_prefix_space=False)
    return t


def sentencepiece_vocab(texts, t):
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    train(t, texts, 900, special, initial_alphabet=[], limit_alphabet=120, min_frequency=2)
    data = json.loads(t.to_str())
    data["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    data["added_tokens"] = [a for a in data["added_tokens"] if not a["content"].startswith("<0x")]
    return data


def make_metaspace(texts):
    """SentencePiece-like, as newer conversions of Llama 2 write it; merges in the old form."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    data = sentencepiece_vocab(texts, t)
    data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
    t = Tokenizer.from_str(json.dumps(data))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return t, data["model"]["merges"]


def make_llama2(texts):
    """SentencePiece-like, as most files of Llama 2 are: the normalizer marks spaces, the text is left whole."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    data = sentencepiece_vocab(texts, t)
    t = Tokenizer.from_str(json.dumps(data))
    t.pre_tokenizer = None
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


def make_llava(folder):
    """llama2 as older conversions write it, with control tokens that are looked for in the normalized text, and with the
    tokens that LLaVA's port adds."""
    data = json.loads((folder / "llama2.tokenizer.json").read_text())
    for token in data["added_tokens"]:
        token["normalized"] = True
    t = Tokenizer.from_str(json.dumps(data))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken("<image>", normalized=False, special=True), AddedToken("<pad>", normalized=True, special=True)])
    t.add_tokens([AddedToken("new", single_word=True, normalized=True), AddedToken("[R]", rstrip=True, lstrip=True)])
    return t


def make_unknowns(texts):
    """No bytes at all: unknown characters, not fused; digits and punctuation apart; the suffix decoder."""
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(),
                                               pre_tokenizers.Digits(individual_digits=True)])
    t.decoder = decoders.BPEDecoder("</w>")
    return train(t, texts, 400, ["<unk>"], initial_alphabet=[], limit_alphabet=60, end_of_word_suffix="</w>",
                 min_frequency=2)


# What the table of the unigram tokenizers replaces: wide forms, ligatures, marks behind letters, white space, nothing visible.
RULES = ([(chr(0xFF01 + i), chr(0x21 + i)) for i in range(94)] +
         [("ﬁ", "fi"), ("ﬂ", "fl"), ("①", "1"), ("½", "1⁄2"), ("…", "..."), ("㎏", "kg"), ("ﷺ", "صلى"), ("\r", " "), ("\n", " "), ("\t", " "),
          ("\u00a0", " "), ("\u3000", " "), ("\u2028", " "), ("\u200b", ""), ("\ufeff", ""), ("e\u0301", "é"), ("A\u030a", "Å"),
          ("i\u0308", "ï"), ("\u1112\u1161", "하"), ("İ", "i"), ("☺️", ":)"), ("🇩🇪", "DE")])


def character_map():
    """The table of RULES as SentencePiece writes it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        lines = ["\t".join(" ".join(f"{ord(c):X}" for c in part) for part in rule) for rule in RULES]
        pathlib.Path("rules.tsv").write_text("\n".join(lines) + "\n")
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c"] * 9), model_prefix="m", vocab_size=8, hard_vocab_limit=False,
                                                 model_type="char", minloglevel=2, normalization_rule_tsv="rules.tsv")
        model = pathlib.Path("m.model").read_bytes()
    # Field 3 of the model is the normalizer, whose field 2 is the table.
    from sentencepiece import sentencepiece_model_pb2
    return sentencepiece_model_pb2.ModelProto.FromString(model).normalizer_spec.precompiled_charsmap


def make_unigram(texts):
    """As T5 and XLM-RoBERTa: a table of characters, marked spaces, unknown characters."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Precompiled(character_map())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    t.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
                                                         show_progress=False, initial_alphabet=[]))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return t


def make_unigram_bytes(texts):
    """As SigLIP, with bytes for unknown characters: no punctuation, small letters."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(Regex(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""), ""),
        normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Precompiled(character_map())])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always", split=True)])
    common = [text for text in texts if text.isascii()]
    special = ["<unk>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(common, trainers.UnigramTrainer(vocab_size=700, special_tokens=special, unk_token="<unk>", show_progress=False,
                                                          initial_alphabet=[]))
    data = json.loads(t.to_str())
    data["model"]["byte_fallback"] = True
    data["added_tokens"] = [a for a in data["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(data))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return t


def expected(t, items):
    rows = []
    controls = {i for i, token in t.get_added_tokens_decoder().items() if token.special}
    for item in items:
        text = expand(item)
        t.encode_special_tokens = False
        parsed = t.encode(text).ids
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        # The reference's Unigram finds control tokens in plain text as pieces; a text must not, so these rows say nothing.
        if isinstance(t.model, models.Unigram) and any(token.content in text for i, token in t.get_added_tokens_decoder().items()
                                                       if i in controls):
            plain = None
        if isinstance(item, str):
            row = {"parsed": parsed, "plain": plain, "skipped": t.decode(parsed, skip_special_tokens=True),
                   "shown": t.decode(parsed, skip_special_tokens=False)}
        else:
            row = {"parsed": digest(parsed), "plain": plain if plain is None else digest(plain)}
        rows.append(row)
    return rows


def components(items):
    texts = [i for i in items if isinstance(i, str)]
    pre = [
        pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(True),
        pre_tokenizers.Digits(False), byte_level(LLAMA3), byte_level(QWEN2), byte_level(O200K),
        pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(True)]),
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\d{1,3}(?=(?:\d{3})*\b)"), "isolated"),
                                 pre_tokenizers.Split(Regex(r"[\p{Han}\p{Hiragana}]+|\w+\W"), "isolated"),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
        pre_tokenizers.Split(Regex(r"x*"), "isolated"), pre_tokenizers.Split(Regex(r"^.|.$"), "isolated"),
        pre_tokenizers.Split(Regex(r"\p{N}{1,3}+"), "isolated"),
    ]
    for behavior in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
        pre += [pre_tokenizers.Punctuation(behavior), pre_tokenizers.Split(" ", behavior),
                pre_tokenizers.Split(Regex(r"\s+|'"), behavior), pre_tokenizers.Split(Regex(r"\p{L}+"), behavior, invert=True)]
    for scheme in ("always", "first", "never"):
        pre += [pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split) for split in (True, False)]
    norm = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase(),
            normalizers.Strip(), normalizers.Strip(left=True, right=False), normalizers.Strip(left=False, right=True),
            normalizers.Prepend("▁"), normalizers.Replace(" ", "▁"), normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Replace(Regex(r"(.)\1"), "<>"), normalizers.Replace(Regex(r"b*"), "|"),
            normalizers.Sequence([normalizers.NFKC(), normalizers.Sequence([normalizers.Lowercase()])])]
    dec = [decoders.ByteLevel(), decoders.ByteFallback(), decoders.Metaspace(), decoders.Metaspace(prepend_scheme="never"),
           decoders.BPEDecoder("</w>"), decoders.Fuse(), decoders.Strip(" ", 1, 0), decoders.Replace("▁", " "),
           decoders.Replace(Regex(r"[aeiou]+"), "*"),
           decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])]
    tokens = [["▁Hello", "▁", "world", "</w>", "!</w>"], ["▁▁a", "▁▁", "b▁"], ["<0xE4>", "<0xBD>", "<0xA0>", "▁x", "<0xF0>"],
              ["<0x41>", "<0xFF>", "<0x42>"], ["Ġthe", "Ã©", "ð", "ŁĳĮ", "<|x y|>", "é"], [" ", " a", "  b"], ["<0xZZ>", "<0x4a>"],
              [], ["é", "日本"]]

    def part(kind, t):
        return json.loads(t.__getstate__().decode())

    return {
        "texts": texts,
        "pre_tokenizers": [{"json": part("p", p), "words": [[w for w, _ in p.pre_tokenize_str(s)] for s in texts]} for p in pre],
        "normalizers": [{"json": part("n", n), "texts": [n.normalize_str(s) for s in texts]} for n in norm],
        "tokens": tokens,
        "decoders": [{"json": part("d", d), "texts": [d.decode(list(s)) if s else "" for s in tokens]} for d in dec],
    }


def write(path, data, **options):
    path.write_text(json.dumps(data, ensure_ascii=True, separators=(",", ":"), **options) + "\n")


def main():
    assert tokenizers.__version__.startswith("0.23"), tokenizers.__version__
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    texts, items = corpus(), strings()
    write(folder / "corpus.json", texts)
    write(folder / "strings.json", items)
    write(folder / "components.json", components(items))
    made = {"gpt2": make_gpt2, "roberta": make_roberta, "llama3": make_llama3, "qwen2": make_qwen2, "o200k": make_o200k,
            "clip": make_clip, "metaspace": make_metaspace, "llama2": make_llama2, "unknowns": make_unknowns,
            "unigram": make_unigram, "unigram_bytes": make_unigram_bytes}
    made["llava"] = lambda _: make_llava(folder)
    for name, make in made.items():
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        t = make(texts)
        merges = None
        if isinstance(t, tuple):
            t, merges = t
        data = json.loads(t.to_str())
        if merges is not None:
            data["model"]["merges"] = merges
        write(folder / f"{name}.tokenizer.json", data)
        rows = expected(t, items)
        if name == "llava":
            # The reference does not skip a control token whose normalized form differs from its text; we do.
            for row in rows:
                row.pop("skipped", None)
        write(folder / f"{name}.expected.json", rows)
        print(name, t.get_vocab_size())


main()
