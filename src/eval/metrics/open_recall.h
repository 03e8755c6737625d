// Biomedical visual questions as LLaVA-Med scores them (Li et al. 2023, section 5.2): closed questions by accuracy, open ones
// by how much of the true answer the model says.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Whether the true answer is yes or no (after normalize_answer): a closed question. Reads references[0].
bool is_closed(const EvalItem& item);

// The share of closed items whose answer says the true one: the first yes or no among its words decides. Throws also for an
// item that is not closed.
MetricValue closed_accuracy(std::span<const EvalItem> items, const BootstrapOptions& options);

// The mean share of the true answer's words (of normalize_answer) that stand anywhere in the prediction.
MetricValue open_recall(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
