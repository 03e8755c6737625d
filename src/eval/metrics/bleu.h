// BLEU of a corpus (Papineni et al., ACL 2002) as the COCO caption evaluation computes it.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// BLEU with 1- to 4-grams, 0..1. Counts are clipped by the highest count in any reference and summed over the corpus
// before the geometric mean; the brevity penalty uses, per item, the reference length closest to the prediction's (the
// shorter of two equally close). No smoothing but COCO's 1e-15 / 1e-9, which keeps an absent n-gram order from being
// log(0). Tokens: caption_tokens. Reads prediction and references (at least one).
MetricValue bleu4(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
