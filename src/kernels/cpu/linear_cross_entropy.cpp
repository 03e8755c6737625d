// The projection onto the vocabulary with its loss, a block of rows at a time: logits, probabilities and the gradient of the
// logits take turns in the same memory, and the weight is packed once for all blocks.
#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kBlockBytes = 16 << 20;  // of f32 logits: within the last-level cache
constexpr int kScratch = 6;                // gemm has 0 to 2

struct Largest {
  float value;
  int64_t index;  // the first of equals
};
Largest largest(const float* x, int64_t count) {
  Floats most = broadcast(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) most = maximum(get(x + i), most);
  float lanes[kLanes];
  put(lanes, most);
  float value = -__builtin_inff();
  for (const float lane : lanes) value = lane > value ? lane : value;
  for (; i < count; ++i) value = x[i] > value ? x[i] : value;
  int64_t index = 0;
  while (index + 1 < count && x[index] != value) ++index;
  return {value, index};
}

// Loss and, in place, the gradient of one row of logits. G may be narrower than float: it is written behind the reads.
template <typename G>
void finish_row(const LinearCrossEntropyArgs& args, int64_t row, float* logits) {
  const int64_t count = args.vocabulary;
  const int32_t target = args.targets[row];
  const Largest most = largest(logits, count);
  if (args.best != nullptr) args.best[row] = static_cast<int32_t>(most.index);
  const float at_target = target >= 0 ? logits[target] : 0.0f;
  map(
      count, logits, [=](Floats v) { return exp(v - most.value); }, logits);
  const float total_power = sum(
      count, [](Floats v) { return v; }, logits);
  args.losses[row] = target >= 0 ? std::log(total_power) + (most.value - at_target) : 0.0f;
  if (args.grad_h.data == nullptr && args.grad_w == nullptr) return;
  const float scale = target < 0 ? 0.0f : args.row_scale != nullptr ? args.row_scale[row] : 1.0f;
  const float factor = scale / total_power, power_at_target = target >= 0 ? logits[target] : 0.0f;
  G* grad = reinterpret_cast<G*>(logits);
  map(
      count, grad, [=](Floats p) { return p * factor; }, logits);
  if (target >= 0) store(grad, target, power_at_target * factor - scale);
}

}  // namespace

void linear_cross_entropy(const LinearCrossEntropyArgs& args) {
  check_targets("linear_cross_entropy", args.targets, args.rows, args.vocabulary);
  if (args.rows == 0) return;
  const int64_t vocabulary = args.vocabulary, dim = args.dim;
  const bool narrow = args.compute == DType::bf16;
  // Products in bf16 round the gradient of the logits in any case: then it is written in bf16 at once.
  const int64_t grad_stride = narrow ? 2 * vocabulary : vocabulary;
  const int64_t block = std::clamp<int64_t>(kBlockBytes / (4 * vocabulary) / 48 * 48, 48, 1008);
  auto* logits = static_cast<float*>(
      thread_scratch(static_cast<size_t>(std::min(block, args.rows) * vocabulary) * sizeof(float), kScratch));
  const PackedMatrix to_logits = pack_rhs({args.w.data, args.w.dtype, 1, dim}, dim, vocabulary, args.compute);
  PackedMatrix to_h;
  if (args.grad_h.data != nullptr) to_h = pack_rhs({args.w.data, args.w.dtype, dim, 1}, vocabulary, dim, args.compute);

  for (int64_t first = 0; first < args.rows; first += block) {
    const int64_t rows = std::min(block, args.rows - first);
    const auto row_of = [&](const void* data, DType type) {
      return const_cast<char*>(static_cast<const char*>(data)) + first * dim * static_cast<int64_t>(size_of(type));
    };
    const GemmOperand h{row_of(args.h.data, args.h.dtype), args.h.dtype, dim, 1};
    const GemmOperand grad{logits, narrow ? DType::bf16 : DType::f32, grad_stride, 1};
    GemmArgs product;
    product.m = rows;
    product.n = vocabulary;
    product.k = dim;
    product.a = h;
    product.c = logits;
    product.ldc = vocabulary;
    product.compute = args.compute;
    gemm_packed(product, to_logits);
    parallel_for(rows, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        narrow ? finish_row<Brain>(args, first + r, logits + r * vocabulary)
               : finish_row<float>(args, first + r, logits + r * vocabulary);
      }
    });
    if (args.grad_h.data != nullptr) {
      product.n = dim;
      product.k = vocabulary;
      product.a = grad;
      product.c = row_of(args.grad_h.data, args.grad_h.dtype);
      product.c_dtype = args.grad_h.dtype;
      product.ldc = dim;
      gemm_packed(product, to_h);
    }
    if (args.grad_w != nullptr) {
      GemmArgs sums;
      sums.m = vocabulary;
      sums.n = dim;
      sums.k = rows;
      sums.a = {grad.data, grad.dtype, 1, grad_stride};
      sums.b = h;
      sums.c = args.grad_w;
      sums.ldc = dim;
      sums.accumulate = true;
      sums.compute = args.compute;
      cpu::SENSORIUM_ISA::gemm(sums);
    }
  }
}

SENSORIUM_ISA_END
