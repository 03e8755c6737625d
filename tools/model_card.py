#!/usr/bin/env python3
"""Evaluates a model on the sets' test splits and writes its card.

    tools/model_card.py BINARY MODEL_DIR DATA_ROOT > weights/default/README.md

The text around the table is weights/card.md, where {results}, {parameters}, {bytes} and those of ACROSS are filled in. Blind baselines and specialists are those of the
data sets' own documentation (docs/data.md): the most frequent training answer, and a small network trained on the one set.
"""
import json
import pathlib
import subprocess
import sys

# set, task, question (None: any; a tuple: these classes of boxes, each and their mean), metric, blind baseline, specialist
ROWS = [
    ("mnist", "qa", None, "exact_match", 0.12, 0.994),
    ("trashnet", "qa", None, "exact_match", 0.18, 0.796),
    ("caltech101", "qa", None, "exact_match", 0.01, 0.508),
    ("oxford_pets", "qa", None, "exact_match", 0.50, None),
    ("nlvr", "statement", None, "accuracy", 0.57, 0.591),
    ("nlvr", "qa", "How many yellow objects are there?", "exact_match", 0.22, None),
    ("nlvr", "qa", "How many blue objects are there?", "exact_match", 0.15, None),
    ("nlvr", "qa", "How many black objects are there?", "exact_match", 0.26, None),
    ("hardhat", "boxes", ("helmet", "head"), "map50", None, 0.839),
    ("hardhat", "qa", "How many people wear a safety helmet?", "exact_match", 0.21, 0.593),
    ("hardhat", "qa", "How many people wear a safety helmet?", "count_mae", None, 0.58),
    ("hardhat", "qa", "How many people do not wear a safety helmet?", "exact_match", 0.55, None),
    ("hardhat", "qa", "Does everybody wear a safety helmet?", "exact_match", 0.55, 0.886),
    ("bccd", "boxes", ("white blood cell", "platelet"), "map50", None, 0.922),
    ("bccd", "qa", "Are there platelets in the image?", "exact_match", 0.55, 0.818),
    ("bccd", "qa", "How many white blood cells are there?", "exact_match", 0.97, None),
    ("hit_uav_thermal", "boxes", ("person", "car"), "map50", None, 0.442),
    ("hit_uav_thermal", "qa", "How many people are visible in the thermal image?", "exact_match", 0.38, 0.442),
    ("hit_uav_thermal", "qa", "How many cars are visible in the thermal image?", "exact_match", 0.44, None),
    ("fsdd", "class", None, "accuracy", 0.10, 0.987),
    ("esc10", "class", None, "accuracy", 0.10, 0.863),
    ("wake_words", "class", None, "accuracy", 0.17, 1.000),
    ("cat_dog_sounds", "class", None, "accuracy", 0.67, None),
    ("voice_commands", "qa", "Which drink is ordered?", "exact_match", 0.12, 0.880),
    ("imu_activity", "class", None, "accuracy", 0.29, 0.894),
    ("intel_video", "class", None, "accuracy", 0.23, 0.636),
    ("intel_video", "qa", "Does anything move in the video?", "exact_match", 0.71, None),
]


# What {image_by_audio} and the others of the joint space are: the class of the task "across" and its metric.
ACROSS = {
    "image_by_audio": ("image by audio", "recall@1"),
    "audio_by_image": ("audio by image", "recall@1"),
    "same": ("image and audio: the same?", "yes or no"),
    "one_of_two": ("image and audio: the same?", "one of two"),
}


def across(binary, model, data):
    command = [binary, "eval", "--model", model, "--task", "across", "--json", "--data", str(data / "oxford_pets" / "test.jsonl")]
    for name in ("caltech101", "esc10", "cat_dog_sounds"):
        command += ["--with", str(data / name / "test.jsonl")]
    command += ["--name", "dog bark=dog", "--name", "dalmatian=dog"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {result["class"]: result["metrics"] for result in json.loads(output)["results"]}
    values = {}
    for key, (kind, metric) in ACROSS.items():
        value, (low, high) = found[kind][metric]["value"], found[kind][metric]["ci95"]
        values[key] = f"{value:.3f} ({low:.3f} to {high:.3f})"
    return values


def number(value):
    return "" if value is None else f"{value:.3f}"


def main():
    binary, model, data = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    reports = {}
    for name in dict.fromkeys(row[0] for row in ROWS):
        output = subprocess.run(
            [binary, "eval", "--model", model, "--data", str(data / name / "test.jsonl"), "--json"],
            check=True, capture_output=True, text=True).stdout
        reports[name] = json.loads(output)["results"]
        print(name, file=sys.stderr)
    lines = ["| set | what | metric | n | value | 95 % interval | blind | specialist |", "|---|---|---|---:|---:|---|---:|---:|"]
    for name, task, question, metric, blind, specialist in ROWS:
        if isinstance(question, tuple):
            found = {r["class"]: r for r in reports[name] if r["task"] == task and "class" in r}
            values = [found[label]["metrics"][metric]["value"] for label in question]
            lines.append(f"| {name} | {task}: mean of {', '.join(question)} | {metric} | {found[question[0]]['n']} "
                         f"| {sum(values) / len(values):.3f} | | {number(blind)} | {number(specialist)} |")
            for label in question:
                value, (low, high) = found[label]["metrics"][metric]["value"], found[label]["metrics"][metric]["ci95"]
                lines.append(f"| {name} | {task}: {label} | {metric} | {found[label]['n']} "
                             f"| {value:.3f} | {low:.3f} to {high:.3f} | | |")
            continue
        for result in reports[name]:
            same = result["task"] == task and "class" not in result and (question is None or result.get("question", question) == question)
            if same and metric in result["metrics"]:
                found = result["metrics"][metric]
                low, high = found["ci95"]
                lines.append(f"| {name} | {question or task} | {metric} | {result['n']} | {found['value']:.3f} | {low:.3f} to {high:.3f} "
                             f"| {number(blind)} | {number(specialist)} |")
                break
    inspect = json.loads(subprocess.run([binary, "inspect", model, "--json"], check=True, capture_output=True, text=True).stdout)
    template = pathlib.Path(__file__).resolve().parent.parent / "weights" / "card.md"
    text = template.read_text(encoding="utf-8")
    for key, value in {"results": "\n".join(lines), "parameters": f"{inspect['parameters'] / 1e6:.1f} million",
                       "bytes": f"{inspect['bytes'] / 1e6:.0f} MB", **across(binary, model, data)}.items():
        text = text.replace("{" + key + "}", value)
    print(text, end="")


if __name__ == "__main__":
    main()
