// CIDEr-D (Vedantam et al., CVPR 2015, equation 3 and section "CIDEr-D").
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// 10 x the mean over 1- to 4-grams and references of the clipped tf-idf cosine between prediction and reference, times
// a Gaussian penalty (sigma 6) of their difference in length. The document frequencies come from the references of the
// items that are evaluated, one document an item, so a score compares only with scores on the same items; with one item
// every idf, and so the score, is 0. Tokens: caption_tokens, without stemming, as in COCO's evaluation. The interval
// resamples items and keeps the document frequencies. Reads prediction and references (at least one).
MetricValue cider(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
