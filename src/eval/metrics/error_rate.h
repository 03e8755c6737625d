// Word and character error rates of transcripts.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Least number of insertions, deletions and substitutions that turn `from` into `to` (Levenshtein).
size_t edit_distance(std::span<const std::string> from, std::span<const std::string> to);

// Edits over all items divided by the true words of all items (it can exceed 1). Words: transcript_words; true text:
// references[0]. Error(invalid_data) if the references hold no word at all.
MetricValue wer(std::span<const EvalItem> items, const BootstrapOptions& options);

// The same over characters (Unicode code points) of the words joined by one space each.
MetricValue cer(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
