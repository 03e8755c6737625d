// Legend: N inputs, C channels, H height, W width, P patches of all inputs, K values of a patch.
#include "modality/patches.h"

#include <algorithm>

#include "base/threads.h"

namespace sensorium::modality {

Tensor cut_patches(const Tensor& input_NCHW, const PatchWindow& window, DType dtype) {
  require(input_NCHW.rank() == 4 && input_NCHW.dtype() == DType::f32, ErrorKind::shape,
          "patches are cut out of f32 [N, C, H, W], not {} {}", name_of(input_NCHW.dtype()), input_NCHW.shape());
  const int64_t inputs = input_NCHW.dim(0), channels = input_NCHW.dim(1), height = input_NCHW.dim(2),
                width = input_NCHW.dim(3);
  const int64_t rows = window.rows(height), columns = window.columns(width);
  require(rows > 0 && columns > 0, ErrorKind::shape, "patches of {} x {} out of {}", window.height, window.width,
          input_NCHW.shape());
  const int64_t values = channels * window.height * window.width;
  const Tensor patches_PK = Tensor::empty({inputs * rows * columns, values});
  const float* from = input_NCHW.data<float>();
  float* to = patches_PK.data<float>();
  parallel_for(inputs * rows, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {  // a line of patches
      const int64_t input = line / rows, top = line % rows * window.stride;
      for (int64_t column = 0; column < columns; ++column) {
        float* out = to + (line * columns + column) * values;
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t y = 0; y < window.height; ++y, out += window.width) {
            const float* row = from + ((input * channels + c) * height + top + y) * width + column * window.stride;
            std::copy(row, row + window.width, out);
          }
        }
      }
    }
  });
  return patches_PK.to(dtype);
}

}  // namespace sensorium::modality
