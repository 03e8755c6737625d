#!/usr/bin/env python3
"""Golden values for src/eval/metrics, computed by straightforward implementations written from the papers.

    python3 tools/golden/eval_metrics.py > tests/golden/eval/metrics.json

Needs numpy. The C++ test reads inputs and expected values from the file, so nothing here runs in a build or a test.
"""
import json
import math
import random
from collections import Counter

import numpy as np

MASK = (1 << 64) - 1


class Rng:
    """src/base/rng.h: xoshiro256** seeded by splitmix64, so that bootstrap draws can be compared number by number."""

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(z ^ (z >> 31))

    def next(self):
        def rotl(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotl((s[1] * 5) & MASK, 7) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return result

    def below(self, n):
        return (self.next() * n) >> 64


def bootstrap(count, statistic, resamples=1000, seed=1):
    """statistic(list of drawn indices) -> float."""
    rng = Rng(seed)
    values = [statistic([rng.below(count) for _ in range(count)]) for _ in range(resamples)]
    return [float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5))]


def iou(a, b):
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0 else 0.0


def map50(images, drawn=None):
    """COCO's procedure, repeated from scratch for every resample: nothing is shared with the C++ shortcut."""
    images = images if drawn is None else [images[i] for i in drawn]
    labels = sorted({t["label"] for im in images for t in im["truth"]})
    aps = []
    for label in labels:
        rows, total = [], 0
        for im in images:
            truth = [t["box"] for t in im["truth"] if t["label"] == label]
            total += len(truth)
            used = [False] * len(truth)
            found = sorted((p for p in im["predicted"] if p["label"] == label), key=lambda p: -p["score"])[:100]
            for p in found:
                best, best_iou = -1, 0.5
                for t, box in enumerate(truth):
                    value = iou(p["box"], box)
                    if not used[t] and value >= best_iou:
                        best, best_iou = t, value
                if best >= 0:
                    used[best] = True
                rows.append((p["score"], best >= 0))
        rows.sort(key=lambda r: -r[0])
        hits = np.cumsum([r[1] for r in rows]) if rows else np.zeros(0)
        recall = hits / total
        precision = hits / np.arange(1, len(rows) + 1)
        points = []
        for r in np.arange(101) / 100.0:
            at = precision[recall >= r]
            points.append(at.max() if len(at) else 0.0)
        aps.append(float(np.mean(points)))
    return (float(np.mean(aps)) if aps else 0.0), dict(zip(labels, aps))


def ngrams(tokens, n):
    return Counter(tuple(tokens[i:i + n]) for i in range(len(tokens) - n + 1))


def bleu4(corpus):
    correct, guess, hyp_len, ref_len = [0] * 4, [0] * 4, 0, 0
    for prediction, references in corpus:
        hyp, refs = prediction.split(), [r.split() for r in references]
        hyp_len += len(hyp)
        ref_len += min((abs(len(r) - len(hyp)), len(r)) for r in refs)[1]
        for n in range(1, 5):
            counts = ngrams(hyp, n)
            highest = Counter()
            for r in refs:
                highest |= ngrams(r, n)
            correct[n - 1] += sum((counts & highest).values())
            guess[n - 1] += max(0, len(hyp) - n + 1)
    log_mean = sum(math.log((c + 1e-15) / (g + 1e-9)) for c, g in zip(correct, guess)) / 4
    ratio = (hyp_len + 1e-15) / (ref_len + 1e-9)
    return math.exp(log_mean) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


def cider_d(corpus):
    documents = [[r.split() for r in references] for _, references in corpus]
    scores = np.zeros(len(corpus))
    for n in range(1, 5):
        frequency = Counter()
        for refs in documents:
            frequency.update(set().union(*[ngrams(r, n).keys() for r in refs]))

        def vector(tokens):
            return {g: c * (math.log(len(corpus)) - math.log(max(1, frequency[g]))) for g, c in ngrams(tokens, n).items()}

        for i, (prediction, _) in enumerate(corpus):
            hyp = prediction.split()
            v = vector(hyp)
            for ref in documents[i]:
                w = vector(ref)
                dot = sum(min(v[g], w[g]) * w[g] for g in v if g in w)
                norm = math.sqrt(sum(x * x for x in v.values())) * math.sqrt(sum(x * x for x in w.values()))
                penalty = math.exp(-((len(hyp) - len(ref)) ** 2) / (2 * 6.0 ** 2))
                scores[i] += 10 * penalty * (dot / norm if norm > 0 else 0) / 4 / len(documents[i])
    return scores


def edits(a, b):
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0] = range(len(a) + 1)
    table[0, :] = range(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
    return int(table[-1, -1])


def macro_f1(truth, predicted):
    values = []
    for c in sorted(set(truth)):
        tp = sum(t == c and p == c for t, p in zip(truth, predicted))
        values.append(2 * tp / (sum(t == c for t in truth) + sum(p == c for p in predicted)))
    return float(np.mean(values))


def make_detection(rng):
    images = []
    for _ in range(14):
        truth, predicted = [], []
        for _ in range(rng.randrange(0, 7)):
            x, y, w, h = rng.uniform(0, 80), rng.uniform(0, 80), rng.uniform(5, 30), rng.uniform(5, 30)
            box = [round(v, 2) for v in (x, y, x + w, y + h)]
            label = rng.choice(["helmet", "head", "cart"])
            truth.append({"box": box, "label": label})
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                shift = rng.choice([1, 3, 8])
                moved = [round(v + rng.uniform(-shift, shift), 2) for v in box]
                moved = [min(moved[0], moved[2]), min(moved[1], moved[3]), max(moved[0], moved[2]), max(moved[1], moved[3])]
                name = label if rng.random() < 0.85 else rng.choice(["helmet", "head", "dog"])
                predicted.append({"box": moved, "label": name, "score": round(rng.random(), 3)})
        images.append({"truth": truth, "predicted": predicted})
    return images


def make_corpus(rng, references_each):
    words = "a man dog on the street with red hat rides bike big near small table of food and".split()
    corpus = []
    for _ in range(12):
        base = [rng.choice(words) for _ in range(rng.randrange(4, 12))]

        def variant(rate):
            out = []
            for word in base:
                r = rng.random()
                if r < rate:
                    out.append(rng.choice(words))
                elif r > 0.95:
                    continue
                else:
                    out.append(word)
            return " ".join(out or ["a"])

        corpus.append((variant(0.35), [variant(0.2) for _ in range(references_each)]))
    corpus[3] = ("", corpus[3][1])
    corpus[4] = ("man", corpus[4][1])
    return corpus


def main():
    rng = random.Random(7)
    golden = {}

    images = make_detection(rng)
    value, per_class = map50(images)
    golden["detection"] = {"images": images, "map50": value, "ap": per_class,
                           "ci95": bootstrap(len(images), lambda d: map50(images, d)[0])}

    captions = make_corpus(rng, 3)
    scores = cider_d(captions)
    golden["captions"] = {
        "items": [{"prediction": p, "references": r} for p, r in captions],
        "bleu4": bleu4(captions),
        "bleu4_ci95": bootstrap(len(captions), lambda d: bleu4([captions[i] for i in d])),
        "cider": float(scores.mean()),
        "cider_items": [float(s) for s in scores],
        "cider_ci95": bootstrap(len(captions), lambda d: float(np.mean(scores[d]))),
    }

    speech = make_corpus(rng, 1)
    words = [(edits(r[0].split(), p.split()), len(r[0].split())) for p, r in speech]
    chars = [(edits(r[0], p), len(r[0])) for p, r in speech]

    def rate(pairs, drawn):
        return sum(pairs[i][0] for i in drawn) / sum(pairs[i][1] for i in drawn)

    everything = range(len(speech))
    golden["transcripts"] = {
        "items": [{"prediction": p, "references": r} for p, r in speech],
        "wer": rate(words, everything), "wer_ci95": bootstrap(len(speech), lambda d: rate(words, d)),
        "cer": rate(chars, everything), "cer_ci95": bootstrap(len(speech), lambda d: rate(chars, d)),
    }

    truth = [rng.choice(["glass", "paper", "metal"]) for _ in range(40)]
    predicted = [t if rng.random() < 0.7 else rng.choice(["glass", "paper", "metal", "trash"]) for t in truth]
    right = [float(t == p) for t, p in zip(truth, predicted)]
    golden["classes"] = {
        "truth": truth, "predicted": predicted,
        "accuracy": float(np.mean(right)), "accuracy_ci95": bootstrap(40, lambda d: float(np.mean([right[i] for i in d]))),
        "macro_f1": macro_f1(truth, predicted),
        "macro_f1_ci95": bootstrap(40, lambda d: macro_f1([truth[i] for i in d], [predicted[i] for i in d])),
    }

    counts = [(rng.randrange(0, 9), rng.randrange(0, 9)) for _ in range(25)]
    errors = [abs(t - p) for t, p in counts]
    golden["counts"] = {
        "pairs": counts,
        "count_mae": float(np.mean(errors)),
        "count_mae_ci95": bootstrap(25, lambda d: float(np.mean([errors[i] for i in d]))),
        "count_exact": float(np.mean([e == 0 for e in errors])),
    }

    nll = [(round(rng.uniform(5, 90), 4), rng.randrange(3, 40)) for _ in range(18)]
    golden["perplexity"] = {
        "pairs": nll,
        "perplexity": math.exp(rate(nll, range(18))),
        "ci95": [math.exp(v) for v in bootstrap(18, lambda d: rate(nll, d))],
    }
    print(json.dumps(golden, separators=(",", ":")))


main()
