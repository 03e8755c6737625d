#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN

void gemm(const GemmArgs& args);

namespace {

// Turns a row of logits into exp(logit - max); returns max and sum.
struct SoftmaxRow {
  float most, sum;
  int64_t best;
};
SoftmaxRow exponentiate(float* row, int64_t count) {
  float most = row[0];
#pragma omp simd reduction(max : most)
  for (int64_t c = 0; c < count; ++c) most = row[c] > most ? row[c] : most;
  int64_t best = 0;
  while (best < count - 1 && row[best] != most) ++best;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < count; ++c) {
    row[c] = fast_exp(row[c] - most);
    sum += row[c];
  }
  return {most, sum, best};
}

}  // namespace

void linear_cross_entropy(const LinearCrossEntropyArgs& args) {
  constexpr int64_t kRowBlock = 256;
  const int64_t vocabulary = args.vocabulary, dim = args.dim;
  // Slots 0 and 1 belong to gemm.
  auto* logits = static_cast<float*>(thread_scratch(static_cast<size_t>(kRowBlock * vocabulary) * 4, 6));
  const auto h_bytes = static_cast<int64_t>(size_of(args.h.dtype));
  for (int64_t first = 0; first < args.rows; first += kRowBlock) {
    const int64_t rows = std::min(kRowBlock, args.rows - first);
    const void* h = static_cast<const std::byte*>(args.h.data) + first * dim * h_bytes;
    GemmArgs forward;
    forward.m = rows;
    forward.n = vocabulary;
    forward.k = dim;
    forward.a = {h, args.h.dtype, dim, 1};
    forward.b = {args.w.data, args.w.dtype, 1, dim};
    forward.c = logits;
    forward.ldc = vocabulary;
    forward.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(forward);
    const bool gradients = args.grad_h.data != nullptr || args.grad_w != nullptr;
    parallel_for(rows, 2, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        float* row = logits + r * vocabulary;
        const int32_t target = args.targets[first + r];
        const float at_target = target >= 0 ? row[target] : 0.0f;
        const SoftmaxRow softmax = exponentiate(row, vocabulary);
        if (args.best != nullptr) args.best[first + r] = static_cast<int32_t>(softmax.best);
        args.losses[first + r] = target < 0 ? 0.0f : softmax.most + std::log(softmax.sum) - at_target;
        if (!gradients) continue;
        const float scale = target < 0 ? 0.0f : args.row_scale != nullptr ? args.row_scale[first + r] : 1.0f;
        const float factor = scale / softmax.sum;
        for (int64_t c = 0; c < vocabulary; ++c) row[c] *= factor;
        if (target >= 0) row[target] -= scale;
      }
    });
    if (args.grad_h.data != nullptr) {
      GemmArgs grad_h;
      grad_h.m = rows;
      grad_h.n = dim;
      grad_h.k = vocabulary;
      grad_h.a = {logits, DType::f32, vocabulary, 1};
      grad_h.b = {args.w.data, args.w.dtype, dim, 1};
      grad_h.c = static_cast<std::byte*>(args.grad_h.data) + first * dim * static_cast<int64_t>(size_of(args.grad_h.dtype));
      grad_h.c_dtype = args.grad_h.dtype;
      grad_h.ldc = dim;
      grad_h.compute = args.compute;
      cpu::SENSORIUM_ISA::gemm(grad_h);
    }
    if (args.grad_w != nullptr) {
      GemmArgs grad_w;
      grad_w.m = vocabulary;
      grad_w.n = dim;
      grad_w.k = rows;
      grad_w.a = {logits, DType::f32, 1, vocabulary};
      grad_w.b = {h, args.h.dtype, dim, 1};
      grad_w.c = args.grad_w;
      grad_w.ldc = dim;
      grad_w.accumulate = true;
      grad_w.compute = args.compute;
      cpu::SENSORIUM_ISA::gemm(grad_w);
    }
  }
}

SENSORIUM_ISA_END
