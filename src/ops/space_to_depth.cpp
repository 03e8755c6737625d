// Plain copies, whatever the element type. Legend: P positions of all pictures, C channels, f factor.
#include <algorithm>
#include <cstring>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;

struct Layout {
  Pictures input, output;
  int64_t factor = 1, channels = 0;
};

enum class Direction : uint8_t { to_depth, to_space };

// Copies every run of up to f neighbours of one row; what lies outside the picture is zero in depth.
void move(const Layout& layout, Direction direction, const std::byte* from, std::byte* to, size_t element) {
  const std::vector<int64_t> in = layout.input.offsets(), out = layout.output.offsets();
  const int64_t f = layout.factor;
  const size_t position = static_cast<size_t>(layout.channels) * element, run = position * static_cast<size_t>(f);
  for (size_t picture = 0; picture < layout.input.count(); ++picture) {
    const int64_t height = layout.input.heights[picture], width = layout.input.widths[picture];
    const int64_t out_width = layout.output.widths[picture];
    parallel_for(layout.output.heights[picture], 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t oy = begin; oy < end; ++oy) {
        for (int64_t ox = 0; ox < out_width; ++ox) {
          for (int64_t dy = 0; dy < f; ++dy) {
            const int64_t y = oy * f + dy, x = ox * f;
            const size_t inside = y < height ? position * static_cast<size_t>(std::min(f, width - x)) : 0;
            const size_t deep = static_cast<size_t>(out[picture] + oy * out_width + ox) * run * static_cast<size_t>(f) +
                                static_cast<size_t>(dy) * run;
            const size_t flat = inside == 0 ? 0 : static_cast<size_t>(in[picture] + y * width + x) * position;
            if (direction == Direction::to_depth) {
              if (inside != 0) std::memcpy(to + deep, from + flat, inside);
              if (inside != run) std::memset(to + deep + inside, 0, run - inside);
            } else if (inside != 0) {
              std::memcpy(to + flat, from + deep, inside);
            }
          }
        }
      }
    });
  }
}

}  // namespace

Tensor space_to_depth(const Tensor& x_PC, const Pictures& pictures, int64_t factor, Pictures& output) {
  require_pictures(x_PC, pictures, "space_to_depth");
  require_cpu(x_PC, "space_to_depth");
  require(factor >= 1, ErrorKind::shape, "space_to_depth: the factor must be positive, it is {}", factor);
  Layout layout{.input = pictures, .output = {}, .factor = factor, .channels = x_PC.dim(1)};
  for (size_t i = 0; i < pictures.count(); ++i) {
    layout.output.heights.push_back(static_cast<int32_t>((pictures.heights[i] + factor - 1) / factor));
    layout.output.widths.push_back(static_cast<int32_t>((pictures.widths[i] + factor - 1) / factor));
  }
  output = layout.output;
  const Tensor y = Tensor::empty({layout.output.positions(), factor * factor * layout.channels}, x_PC.dtype());
  move(layout, Direction::to_depth, static_cast<const std::byte*>(x_PC.raw()), static_cast<std::byte*>(y.raw()),
       size_of(x_PC.dtype()));
  return record("space_to_depth", y, {x_PC}, [layout, shape = x_PC.shape()](const Tensor& dy) {
    const Tensor dx = Tensor::empty(shape, dy.dtype());
    move(layout, Direction::to_space, static_cast<const std::byte*>(dy.raw()), static_cast<std::byte*>(dx.raw()),
         size_of(dy.dtype()));
    return std::vector<Tensor>{dx};
  });
}

}  // namespace sensorium::ops
