#include "kernels/check.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 16384;  // elements of a task
constexpr int kScratch = 7;

template <typename T>
float largest(const T* x, int64_t count) {
  Floats most = broadcast(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) most = maximum(get(x + i), most);
  float lanes[kLanes];
  put(lanes, most);
  float result = -__builtin_inff();
  for (const float lane : lanes) result = lane > result ? lane : result;
  for (; i < count; ++i) result = load(x, i) > result ? load(x, i) : result;
  return result;
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args) {
  check_targets("cross_entropy", args.targets, args.rows, args.classes);
  const int64_t classes = args.classes;
  with_type(args.logits.dtype, [&](auto* tag) {
    with_type(args.grad.dtype, [&](auto* grad_tag) {
      using T = Pointee<decltype(tag)>;
      using G = Pointee<decltype(grad_tag)>;
      parallel_for(args.rows, kGrain / (classes + 1) + 1, [&](int64_t begin, int64_t end, int) {
        // e^(logit - most) of one row: computed once for the sum and the gradient.
        auto* powers = static_cast<float*>(thread_scratch(static_cast<size_t>(classes) * sizeof(float), kScratch));
        for (int64_t r = begin; r < end; ++r) {
          const T* logits = static_cast<const T*>(args.logits.data) + r * classes;
          G* grad = args.grad.data == nullptr ? nullptr : static_cast<G*>(args.grad.data) + r * classes;
          const int32_t target = args.targets[r];
          if (target < 0) {
            args.losses[r] = 0;
            if (grad != nullptr) map(classes, grad, [] { return Floats{}; });
            continue;
          }
          const float most = largest(logits, classes), smoothing = args.label_smoothing;
          map(
              classes, powers, [=](Floats v) { return exp(v - most); }, logits);
          const float total_power = sum(
              classes, [](Floats v) { return v; }, powers);
          const float log_sum = std::log(total_power);  // above `most`
          const float hit = log_sum + (most - load(logits, target));
          args.losses[r] = hit;
          if (smoothing != 0) {
            const float below = sum(
                                    classes, [=](Floats v) { return most - v; }, logits) /
                                static_cast<float>(classes);
            args.losses[r] = (1.0f - smoothing) * hit + smoothing * (log_sum + below);
          }
          if (grad == nullptr) continue;
          const float scale = args.row_scale != nullptr ? args.row_scale[r] : 1.0f;
          const float factor = scale / total_power, uniform = scale * smoothing / static_cast<float>(classes);
          map(
              classes, grad, [=](Floats p) { return p * factor - uniform; }, powers);
          store(grad, target, powers[target] * factor - uniform - scale * (1.0f - smoothing));
        }
      });
    });
  });
}

SENSORIUM_ISA_END
