#include "kernels/check.h"

#include "base/error.h"

namespace sensorium::kernels {
namespace {

void check(const char* operation, const char* what, const int32_t* values, int64_t count, int64_t limit) {
  for (int64_t i = 0; i < count; ++i) {
    require(values[i] >= -1 && values[i] < limit, ErrorKind::shape, "{}: {} {} at position {} is outside -1..{}",
            operation, what, values[i], i, limit - 1);
  }
}

}  // namespace

void check_index(const char* operation, const GatherRowsArgs& args) {
  check(operation, "index", args.index, args.rows, args.other_rows);
}

void check_targets(const char* operation, const int32_t* targets, int64_t rows, int64_t classes) {
  check(operation, "target", targets, rows, classes);
}

}  // namespace sensorium::kernels
