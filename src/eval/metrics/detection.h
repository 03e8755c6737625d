// Detection: mean average precision as COCO computes it (cocodataset.org, "Detection Evaluation"), at one IoU
// threshold.
#pragma once

#include <map>
#include <string>

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Area of the intersection over area of the union; 0 if both are empty.
double box_iou(const Box& a, const Box& b);

struct DetectionOptions {
  double iou_threshold = 0.5;
  // Per image and class; the surest are kept. COCO's value.
  size_t max_detections = 100;
};

struct DetectionScores {
  double map;
  // Average precision of every class that occurs in the truth.
  std::map<std::string, double> average_precision;
};

// Per image and class, detections are matched greedily, surest first, each with the free true box of highest IoU that
// reaches the threshold. Average precision is the mean, over the recalls 0, 0.01, ... 1, of the highest precision at
// that recall or above (101-point interpolation; 0 where the recall is not reached). The mean runs over the classes
// that occur in the truth, so detections of a class that never occurs cost nothing, as in COCO. There are no crowd
// regions. One item is one image; equal scores keep the order of items.
// Throws Error(invalid_data): no true box at all, a score that is NaN, a box with x1 < x0 or y1 < y0 or a NaN.
DetectionScores evaluate_detections(std::span<const EvalItem> items, const DetectionOptions& options = {});

// evaluate_detections(items).map with its interval: images are resampled, matches are kept.
MetricValue map50(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
