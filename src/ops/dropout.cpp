// Inverted dropout (Srivastava 2014), plain loops. The mask is a function of one number drawn from the generator and
// the element's position, so the backward pass draws it again instead of keeping it.

#include <algorithm>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;

constexpr int64_t kBlock = 4096;

Tensor masked(const Tensor& x, float p, uint64_t seed) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const float keep = 1.0f / (1.0f - p);
  const auto threshold = static_cast<uint64_t>(static_cast<double>(p) * 0x1.0p32);
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* in = x.data<T>();
    T* out = y.data<T>();
    const int64_t count = x.elements();
    parallel_for((count + kBlock - 1) / kBlock, 4, [&](int64_t first, int64_t last, int) {
      for (int64_t block = first; block < last; ++block) {
        Rng rng = Rng::for_item(seed, static_cast<uint64_t>(block));
        const int64_t end = std::min(count, (block + 1) * kBlock);
        for (int64_t i = block * kBlock; i < end; i += 2) {
          // One draw serves two elements.
          const uint64_t bits = rng.next();
          out[i] = (bits >> 32) < threshold ? T(0.0f) : T(static_cast<float>(in[i]) * keep);
          if (i + 1 < end) {
            out[i + 1] = (bits & 0xFFFFFFFFu) < threshold ? T(0.0f) : T(static_cast<float>(in[i + 1]) * keep);
          }
        }
      }
    });
  });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, float p, Rng& rng) {
  require_activation(x, "dropout", "x");
  require_cpu(x, "dropout");
  require(p >= 0.0f && p < 1.0f, ErrorKind::shape, "dropout: the probability must be in [0, 1), it is {}", p);
  if (p == 0.0f) return x;
  const uint64_t seed = rng.next();
  return record("dropout", masked(x, p, seed), {x},
                [p, seed](const Tensor& dy) { return std::vector<Tensor>{masked(dy, p, seed)}; });
}

}  // namespace sensorium::ops
