#include "kernels/kv_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {

void store_kv_rows(const StoreKvRowsArgs& a) {
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int64_t head = 0; head < a.heads; ++head) {
      const int64_t from = row * a.x_row_stride + head * a.head_dim, at = head * a.page_rows + a.first + row;
      if (a.page.dtype != DType::i8) {
        for (int64_t d = 0; d < a.head_dim; ++d) set(a.page, at * a.head_dim + d, get(a.x, from + d));
        continue;
      }
      float most = 0;
      bool finite = true;
      for (int64_t d = 0; d < a.head_dim; ++d) {
        const auto size = static_cast<float>(std::abs(get(a.x, from + d)));
        finite = finite && std::isfinite(size);
        most = std::max(most, size);
      }
      a.scales[at] = finite ? most / 127.0f : std::numeric_limits<float>::quiet_NaN();
      const float inverse = finite && most > 0 ? 127.0f / most : 0.0f;
      for (int64_t d = 0; d < a.head_dim; ++d) {
        static_cast<int8_t*>(a.page.data)[at * a.head_dim + d] =
            finite ? static_cast<int8_t>(std::nearbyint(static_cast<float>(get(a.x, from + d)) * inverse)) : int8_t{0};
      }
    }
  }
}

}  // namespace sensorium::kernels::ref
