#include "kernels/kv_rows.h"

#include <limits>
#include <type_traits>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/simd.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kRowsPerTask = 16;

template <typename T>
void quantize_row(const T* row, int64_t count, int8_t* to, float& scale) {
  float most = 0;
  int32_t not_finite = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float size = std::abs(load(row, i));
    most = size > most ? size : most;
    not_finite |= size <= std::numeric_limits<float>::max() ? 0 : 1;
  }
  const bool finite = not_finite == 0;
  scale = finite ? most / 127.0f : std::numeric_limits<float>::quiet_NaN();
  if (!finite || most == 0) {
    std::memset(to, 0, static_cast<size_t>(count));
    return;
  }
  const float inverse = 127.0f / most;
  for (int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<int8_t>(static_cast<int32_t>(__builtin_rintf(load(row, i) * inverse)));
  }
}

}  // namespace

void store_kv_rows(const StoreKvRowsArgs& args) {
  const int64_t D = args.head_dim;
  const auto for_rows = [&](auto&& store) {
    parallel_for(args.rows, kRowsPerTask, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t head = 0; head < args.heads; ++head) {
          store(row * args.x_row_stride + head * D, head * args.page_rows + args.first + row);
        }
      }
    });
  };
  with_type(args.x.dtype, [&](auto* x_tag) {
    const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
    if (args.page.dtype == DType::i8) {
      auto* page = static_cast<int8_t*>(args.page.data);
      for_rows([&](int64_t from, int64_t at) { quantize_row(x + from, D, page + at * D, args.scales[at]); });
      return;
    }
    with_any_type(args.page.dtype, [&](auto* y_tag) {
      using Y = Pointee<decltype(y_tag)>;
      if constexpr (std::is_same_v<Y, Pointee<decltype(x_tag)>>) {
        auto* page = static_cast<Y*>(args.page.data);
        for_rows([&](int64_t from, int64_t at) {
          std::memcpy(page + at * D, x + from, static_cast<size_t>(D) * sizeof(Y));
        });
      } else {
        auto* page = static_cast<std::conditional_t<std::is_same_v<Y, Brain>, ExactBrain, Y>*>(args.page.data);
        for_rows([&](int64_t from, int64_t at) {
          map(
              D, page + at * D, [](Floats v) { return v; }, x + from);
        });
      }
    });
  });
}

SENSORIUM_ISA_END
