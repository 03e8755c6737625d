#include "ops/ops.h"

namespace sensorium::ops {

std::vector<int64_t> Pictures::offsets() const {
  std::vector<int64_t> result{0};
  result.reserve(count() + 1);
  for (size_t i = 0; i < count(); ++i) result.push_back(result.back() + int64_t{heights[i]} * widths[i]);
  return result;
}

int64_t Pictures::positions() const {
  int64_t total = 0;
  for (size_t i = 0; i < count(); ++i) total += int64_t{heights[i]} * widths[i];
  return total;
}

}  // namespace sensorium::ops
