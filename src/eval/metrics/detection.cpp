#include "eval/metrics/detection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/metrics/bootstrap.h"

namespace sensorium::eval {
namespace {

struct Detection {
  double score;
  size_t image;
  bool right;
};

// All matches of one class, made once: a match depends on its image alone, so a resample only weighs the images.
struct ClassMatches {
  std::vector<Detection> detections;  // surest first
  std::vector<uint32_t> truths_per_image;
};

void check_box(const Box& box) {
  require(box[0] <= box[2] && box[1] <= box[3], ErrorKind::invalid_data,
          "detection: box [{}, {}, {}, {}] is not x0, y0, x1, y1 with x0 <= x1 and y0 <= y1", box[0], box[1], box[2],
          box[3]);
}

void match_image(const EvalItem& item, size_t image, const std::string& label, const DetectionOptions& options,
                 ClassMatches& matches) {
  std::vector<const Box*> truths;
  for (const TruthBox& truth : item.truth_boxes) {
    if (truth.label == label) truths.push_back(&truth.box);
  }
  matches.truths_per_image[image] = static_cast<uint32_t>(truths.size());
  std::vector<const ScoredBox*> boxes;
  for (const ScoredBox& box : item.predicted_boxes) {
    if (box.label == label) boxes.push_back(&box);
  }
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const ScoredBox* a, const ScoredBox* b) { return a->score > b->score; });
  boxes.resize(std::min(boxes.size(), options.max_detections));
  std::vector<char> taken(truths.size(), 0);
  for (const ScoredBox* box : boxes) {
    size_t best = truths.size();
    double best_iou = options.iou_threshold;
    for (size_t t = 0; t < truths.size(); ++t) {
      if (taken[t]) continue;
      const double iou = box_iou(box->box, *truths[t]);
      if (iou >= best_iou) {
        best_iou = iou;
        best = t;
      }
    }
    if (best < truths.size()) taken[best] = 1;
    matches.detections.push_back({box->score, image, best < truths.size()});
  }
}

std::map<std::string, ClassMatches> match_all(std::span<const EvalItem> items, const DetectionOptions& options) {
  std::map<std::string, ClassMatches> classes;
  for (const EvalItem& item : items) {
    for (const TruthBox& truth : item.truth_boxes) {
      check_box(truth.box);
      classes[truth.label];
    }
    for (const ScoredBox& box : item.predicted_boxes) {
      check_box(box.box);
      require(!std::isnan(box.score), ErrorKind::invalid_data, "detection: the score of a {} box is NaN", box.label);
    }
  }
  require(!classes.empty(), ErrorKind::invalid_data, "detection: no item has a true box; mAP needs at least one");
  for (auto& [label, matches] : classes) {
    matches.truths_per_image.resize(items.size());
    for (size_t image = 0; image < items.size(); ++image) match_image(items[image], image, label, options, matches);
    std::stable_sort(matches.detections.begin(), matches.detections.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
  }
  return classes;
}

struct Curve {
  std::vector<double> recall, precision;
};

// Average precision with image i drawn draws[i] times; negative if no true box was drawn. `curve` is scratch space.
double average_precision(const ClassMatches& matches, std::span<const uint32_t> draws, Curve& curve) {
  int64_t truths = 0;
  for (size_t i = 0; i < draws.size(); ++i) truths += int64_t{draws[i]} * matches.truths_per_image[i];
  if (truths == 0) return -1;
  curve.recall.clear();
  curve.precision.clear();
  int64_t right = 0, all = 0;
  for (const Detection& detection : matches.detections) {
    const int64_t weight = draws[detection.image];
    if (weight == 0) continue;
    all += weight;
    if (!detection.right) continue;
    // Wrong detections only lower the precision until the next right one: points are needed at right ones alone.
    right += weight;
    curve.recall.push_back(static_cast<double>(right) / static_cast<double>(truths));
    curve.precision.push_back(static_cast<double>(right) / static_cast<double>(all));
  }
  for (size_t i = curve.precision.size(); i > 1; --i) {
    curve.precision[i - 2] = std::max(curve.precision[i - 2], curve.precision[i - 1]);
  }
  double sum = 0;
  size_t at = 0;
  for (int step = 0; step <= 100; ++step) {
    const double recall = step / 100.0;
    while (at < curve.recall.size() && curve.recall[at] < recall) ++at;
    if (at == curve.recall.size()) break;
    sum += curve.precision[at];
  }
  return sum / 101;
}

double mean_average_precision(const std::map<std::string, ClassMatches>& classes, std::span<const uint32_t> draws,
                              Curve& curve) {
  double sum = 0;
  int present = 0;
  for (const auto& [label, matches] : classes) {
    const double ap = average_precision(matches, draws, curve);
    if (ap < 0) continue;
    sum += ap;
    ++present;
  }
  return present == 0 ? 0.0 : sum / present;
}

}  // namespace

double box_iou(const Box& a, const Box& b) {
  const double width = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const double height = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  const double both = std::max(0.0, width) * std::max(0.0, height);
  const double either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both;
  return either > 0 ? both / either : 0.0;
}

DetectionScores evaluate_detections(std::span<const EvalItem> items, const DetectionOptions& options) {
  const auto classes = match_all(items, options);
  const std::vector<uint32_t> once(items.size(), 1);
  Curve curve;
  DetectionScores scores{mean_average_precision(classes, once, curve), {}};
  for (const auto& [label, matches] : classes)
    scores.average_precision[label] = average_precision(matches, once, curve);
  return scores;
}

MetricValue map50(std::span<const EvalItem> items, const BootstrapOptions& options) {
  const auto classes = match_all(items, DetectionOptions{});
  Curve curve;
  const Interval ci95 = bootstrap_interval(items.size(), options, [&](std::span<const uint32_t> draws) {
    return mean_average_precision(classes, draws, curve);
  });
  return {mean_average_precision(classes, std::vector<uint32_t>(items.size(), 1), curve), ci95};
}

}  // namespace sensorium::eval
