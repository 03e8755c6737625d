// The projection onto the vocabulary with its loss and gradients, at the shape of decoder training.
#include <vector>

#include "base/rng.h"
#include "kernels/isa.h"
#include "kernels/loss.h"
#include "measure.h"

int main() {
  using namespace sensorium;
  constexpr int64_t kRows = 4096, kDim = 384, kVocabulary = 8192;
  Rng rng(1);
  std::vector<bf16> h(kRows * kDim), dh(kRows * kDim);
  for (bf16& value : h) value = bf16(static_cast<float>(rng.normal()));
  std::vector<float> w(kVocabulary * kDim), dw(kVocabulary * kDim), losses(kRows);
  for (float& value : w) value = static_cast<float>(0.05 * rng.normal());
  std::vector<int32_t> targets(kRows);
  for (int32_t& target : targets) target = static_cast<int32_t>(rng.below(kVocabulary));
  kernels::LinearCrossEntropyArgs args;
  args.rows = kRows;
  args.dim = kDim;
  args.vocabulary = kVocabulary;
  args.h = {h.data(), DType::bf16};
  args.w = {w.data(), DType::f32};
  args.targets = targets.data();
  args.compute = DType::bf16;
  args.losses = losses.data();
  kernels::LinearCrossEntropyArgs all = args;
  all.grad_h = {dh.data(), DType::bf16};
  all.grad_w = dw.data();
  const double product = 2.0 * kRows * kDim * kVocabulary;
  const kernels::KernelTable& table = kernels::cpu_kernels(kernels::active_isa());
  bench::compare("4096 x 384 x 8192", DType::bf16,
                 {{"loss", product, [&] { table.linear_cross_entropy(args); }},
                  {"loss and gradients", 3 * product, [&] { table.linear_cross_entropy(all); }}});
}
