// The table of metrics. To add one: a header and a source file in this folder, and a line in registry.cpp.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

enum class Better { higher, lower };

struct MetricEntry {
  std::string_view name;  // the key in `sensorium eval --json`
  std::string_view description;
  std::string_view unit;  // "" for a share or score without unit
  Better better;
  MetricFn compute;
};

std::span<const MetricEntry> metric_table();

// Throws Error(not_found) that suggests the nearest name.
const MetricEntry& find_metric(std::string_view name);

}  // namespace sensorium::eval
