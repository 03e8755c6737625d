#!/usr/bin/env python3
"""Golden folder of ImageBind: a tiny random checkpoint, and what the authors' code computes with it.

    python3 tools/golden/imagebind.py REFERENCE FILMS

REFERENCE is a checkout of github.com/facebookresearch/ImageBind: its model and loaders are imported from there, nothing of it is
copied. FILMS is one of github.com/facebookresearch/pytorchvideo at the commit that its requirements name (6cdc929; the last release
places clips otherwise). Writes tests/golden/models/imagebind/: config.json, model.safetensors (bf16 under the reference's names),
the tokenizer's merges, files of every sense, and expected.safetensors. Needs torch, torchaudio, torchvision, fvcore, decord, ftfy,
einops, regex, tokenizers, soundfile, pillow, and ffmpeg with libx264.
"""
import json
import subprocess
import sys
import types

import numpy as np
import soundfile
import torch
import torchaudio
import torchvision
from safetensors.torch import save_file

from models_common import CORPUS, folder_of, picture, randomize, save_expected

DIM = 24
TEXTS = [
    "A dog.", "a photo of a cat &amp; a boat", "schÃ¶n, itâ€™s “fine” ﬁne", "  spaces \t and\nlines  ", "&lt;|x|&gt; 12 cats",
    "ＦＵＬＬ width and ½", " ".join(["three dogs and two cats"] * 12),
]


def stub_packages():
    """What the reference imports for training, or under names that have moved since."""
    layers = types.ModuleType("timm.layers")
    layers.DropPath, layers.trunc_normal_ = torch.nn.Identity, torch.nn.init.trunc_normal_
    timm = types.ModuleType("timm")
    timm.layers = layers
    iopath = types.ModuleType("iopath.common.file_io")
    iopath.g_pathmgr = types.SimpleNamespace(open=open)
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda package, path: path
    tensor = types.ModuleType("torchvision.transforms.functional_tensor")
    tensor.__dict__.update(torchvision.transforms.functional.__dict__)
    torchaudio.load = read_sound
    sys.modules |= {"timm": timm, "timm.layers": layers, "iopath": types.ModuleType("iopath"),
                    "iopath.common": types.ModuleType("iopath.common"), "iopath.common.file_io": iopath,
                    "pkg_resources": resources, "torchvision.transforms.functional_tensor": tensor}


def read_sound(path):
    """torchaudio's own reader needs a package more."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate


def numbers(*shape, seed):
    """Inputs that the test makes too: the upper half of a multiplicative hash."""
    count = int(np.prod(shape))
    hashed = (np.arange(count, dtype=np.uint64) * 2654435761 + seed * 40503) % (1 << 32) >> 16
    return torch.from_numpy((hashed.astype(np.float32) / 32768 - 1).reshape(shape))


def merges_file(folder):
    """A tokenizer of CLIP's kind learned from a few lines, as the original code stores it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    trainer = trainers.BpeTrainer(vocab_size=600, end_of_word_suffix="</w>", show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([line.lower() for line in CORPUS], trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    lines = ["#version: 0.2"] + [" ".join(m) if isinstance(m, list) else m for m in merges]
    # A line end behind the last would be one more merge to the reference.
    (folder / "bpe_simple_vocab_16e6.txt").write_text("\n".join(lines))
    return len(merges)


def make_model(imagebind_model, vocabulary):
    model = imagebind_model.ImageBindModel(
        out_embed_dim=DIM, vision_embed_dim=16, vision_num_blocks=2, vision_num_heads=2, audio_embed_dim=16, audio_num_blocks=2,
        audio_num_heads=2, text_embed_dim=24, text_num_blocks=2, text_num_heads=3, depth_embed_dim=24, depth_num_blocks=1,
        depth_num_heads=1, thermal_embed_dim=16, thermal_num_blocks=1, thermal_num_heads=2, imu_embed_dim=16, imu_num_blocks=1,
        imu_num_heads=2)
    model.modality_preprocessors["text"].token_embedding = torch.nn.Embedding(vocabulary, 24)
    scales = {n: p.clone() for n, p in model.named_parameters() if "logit_scale" in n}
    model = randomize(model)
    for name, value in model.named_parameters():
        with torch.no_grad():
            if name in scales:
                value.copy_(scales[name])
            elif "rgbt_stem" in name or "imu_stem" in name or "depth_stem" in name:
                if value.ndim > 1:
                    value.mul_(0.3)
            value.copy_(value.to(torch.bfloat16).float())
    for buffer in model.buffers():
        buffer.copy_(buffer.to(torch.bfloat16).float())
    return model.eval()


def config_of(vocabulary):
    trunk = lambda dim, layers, heads: {"hidden_size": dim, "num_hidden_layers": layers, "num_attention_heads": heads,
                                        "intermediate_size": 4 * dim}
    return {"model_type": "imagebind", "projection_dim": DIM,
            "vision_config": trunk(16, 2, 2) | {"image_size": 224, "patch_size": 14, "num_frames": 2},
            "text_config": trunk(24, 2, 3) | {"vocab_size": vocabulary, "max_position_embeddings": 77},
            "audio_config": trunk(16, 2, 2) | {"patch_size": 16, "patch_stride": 10, "num_mel_bins": 128, "num_mel_frames": 204},
            "depth_config": trunk(24, 1, 1) | {"patch_size": 16, "image_size": 224},
            "thermal_config": trunk(16, 1, 2) | {"patch_size": 16, "image_size": 224},
            "imu_config": trunk(16, 1, 2) | {"num_steps": 2000, "patch_size": 8, "num_channels": 6}}


def write_sounds(folder):
    """A sound with overlapping clips, at a rate that needs resampling; one shorter than a clip; two channels. (A lower rate than the
    model's leaves the highest bands to rounding errors, whose logarithm no two programs agree on.)"""
    rng = np.random.default_rng(3)
    for name, rate, seconds, channels in [("long.wav", 22050, 2.7, 1), ("short.wav", 16000, 0.7, 1), ("stereo.wav", 16000, 2.1, 2)]:
        t = np.arange(int(rate * seconds)) / rate
        wave = [0.3 * np.sin(2 * np.pi * (300 + 150 * c + 400 * t) * t) + 0.05 * rng.standard_normal(len(t)) + 0.02
                for c in range(channels)]
        soundfile.write(folder / name, np.stack(wave, 1), rate, subtype="PCM_16")


def write_films(folder):
    """Landscape of 3.1 s, portrait of one frame."""
    for name, size, frames in [("film.mp4", (96, 64), 31), ("still.mp4", (64, 128), 1)]:
        first, last = (np.asarray(picture(*size, seed)).astype(float) for seed in (11, 12))
        raw = b"".join((first + (last - first) * i / max(frames - 1, 1)).astype(np.uint8).tobytes() for i in range(frames))
        subprocess.run(["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}",
                        "-r", "10", "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "20", str(folder / name)],
                       input=raw, check=True)


def sampled(tensor):
    """About 3000 of its numbers, evenly spaced."""
    return tensor.flatten()[::tensor.numel() // 3000 + 1].clone()


@torch.no_grad()
def main(reference, films):
    stub_packages()
    sys.path[:0] = [reference, films]
    from imagebind import data
    from imagebind.models import imagebind_model, multimodal_preprocessors
    folder = folder_of("imagebind")
    vocabulary = 512 + merges_file(folder) + 2
    model = make_model(imagebind_model, vocabulary)
    (folder / "config.json").write_text(json.dumps(config_of(vocabulary), indent=2) + "\n")
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")

    inputs = {"vision": numbers(4, 3, 224, 224, seed=1), "video": numbers(2, 3, 3, 2, 224, 224, seed=2),
              "audio": numbers(4, 1, 128, 204, seed=3), "audio_clips": numbers(2, 3, 1, 128, 204, seed=4),
              "depth": numbers(4, 1, 224, 224, seed=5), "thermal": numbers(4, 1, 224, 224, seed=6),
              "imu": numbers(4, 6, 2000, seed=7)}
    tensors = {}
    for name, value in inputs.items():
        key = {"video": "vision", "audio_clips": "audio"}.get(name, name)
        tensors[name] = model({key: value})[key]
        one = model({key: value[:1]})[key]
        assert torch.allclose(one, tensors[name][:1], rtol=1e-4, atol=1e-5)

    # From files.
    tokenizer_path = str(folder / "bpe_simple_vocab_16e6.txt")
    import gzip
    packed = folder / "bpe.gz"
    packed.write_bytes(gzip.compress(open(tokenizer_path, "rb").read()))
    tokenizer = multimodal_preprocessors.SimpleTokenizer(bpe_path=str(packed))
    packed.unlink()
    ids = torch.stack([tokenizer(text) for text in TEXTS])
    (folder / "texts.json").write_text(json.dumps(TEXTS, ensure_ascii=False) + "\n")
    tensors |= {"texts.ids": ids.int(), "texts": model({"text": ids})["text"]}

    pictures = [picture(*size, seed) for seed, size in enumerate([(50, 37), (100, 151), (229, 224)])]
    for i, one in enumerate(pictures):
        one.save(folder / f"picture{i}.png")
    prepared = data.load_and_transform_vision_data([folder / f"picture{i}.png" for i in range(len(pictures))], "cpu")
    tensors |= {"pictures.prepared": sampled(prepared), "pictures": model({"vision": prepared})["vision"]}

    write_sounds(folder)
    for name in ("long", "short", "stereo"):
        prepared = data.load_and_transform_audio_data([folder / f"{name}.wav"], "cpu")
        tensors |= {f"{name}.prepared": sampled(prepared), name: model({"audio": prepared})["audio"]}

    write_films(folder)
    for name in ("film", "still"):
        prepared = data.load_and_transform_video_data([str(folder / f"{name}.mp4")], "cpu")
        tensors |= {f"{name}.prepared": sampled(prepared), name: model({"vision": prepared})["vision"]}
    starts = {str(n): [int(t[0] * 16000) for t in data.get_clip_timepoints(
        data.ConstantClipsPerVideoSampler(clip_duration=2, clips_per_video=3), n / 16000)]
        for n in [*range(32000, 32100, 7), 52801, 53333, 99999, 123457, 1234567, 480001, 160003, 20000]}
    (folder / "clip_starts.json").write_text(json.dumps(starts) + "\n")
    save_expected(folder, tensors)


if __name__ == "__main__":
    main(*sys.argv[1:3])
