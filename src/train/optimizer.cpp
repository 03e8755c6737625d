#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "kernels/table.h"

namespace sensorium::train {
namespace {

double rate_of(const std::string& name, const OptimizerOptions& options) {
  for (const auto& [pattern, rate] : options.rates) {
    if (nn::matches_pattern(pattern, name)) return rate;
  }
  return 1;
}

}  // namespace

AdamW::AdamW(nn::ParameterStore& store, const OptimizerOptions& options) : options_(options) {
  for (nn::Parameter& parameter : store.parameters()) {
    if (!parameter.value.requires_grad()) continue;
    require(parameter.value.dtype() == DType::f32, ErrorKind::shape, "parameter {} is {}, training needs f32",
            parameter.name, name_of(parameter.value.dtype()));
    const Shape& shape = parameter.value.shape();
    slots_.push_back({parameter.name, parameter.value, Tensor::zeros(shape), Tensor::zeros(shape),
                      has_ema() ? parameter.value.clone() : Tensor(), parameter.decay,
                      rate_of(parameter.name, options_)});
  }
}

double AdamW::step(double learning_rate) {
  double squares = 0;
  for (const Slot& slot : slots_) {
    const Tensor grad = slot.parameter.grad();
    if (grad.defined()) {
      const kernels::KernelTable& table = kernels::kernel_table(grad.device());
      squares +=
          kernels::find_kernel(table.sum_of_squares, table, "sum_of_squares")(grad.data<float>(), grad.elements());
    }
  }
  const double norm = std::sqrt(squares);
  require(std::isfinite(norm), ErrorKind::numeric, "the gradients are not finite (norm {})", norm);
  const double clip = options_.clip_norm > 0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1.0;
  ++steps_;
  // Early averages would remember the random start: the decay grows with the steps (as in TensorFlow's moving average).
  const double ema_decay =
      std::min(options_.ema_decay, (1.0 + static_cast<double>(steps_)) / (10.0 + static_cast<double>(steps_)));
  for (Slot& slot : slots_) {
    const Tensor grad = slot.parameter.grad();
    if (!grad.defined()) continue;
    const kernels::KernelTable& table = kernels::kernel_table(grad.device());
    kernels::find_kernel(table.adamw, table, "adamw")({
        .count = slot.parameter.elements(),
        .parameter = slot.parameter.data<float>(),
        .grad = grad.data<float>(),
        .m = slot.m.data<float>(),
        .v = slot.v.data<float>(),
        .ema = slot.ema.defined() ? slot.ema.data<float>() : nullptr,
        .learning_rate = static_cast<float>(learning_rate * slot.rate),
        .beta1 = static_cast<float>(options_.beta1),
        .beta2 = static_cast<float>(options_.beta2),
        .eps = static_cast<float>(options_.eps),
        .weight_decay = slot.decay ? static_cast<float>(options_.weight_decay) : 0.0f,
        .grad_scale = static_cast<float>(clip),
        .ema_decay = static_cast<float>(ema_decay),
        .step = steps_,
    });
    slot.parameter.clear_grad();
  }
  return norm;
}

std::vector<AdamW::State> AdamW::state() const {
  std::vector<State> entries;
  for (const Slot& slot : slots_) {
    entries.push_back({slot.name + "/m", slot.m});
    entries.push_back({slot.name + "/v", slot.v});
    if (slot.ema.defined()) entries.push_back({slot.name + "/ema", slot.ema});
  }
  return entries;
}

void AdamW::swap_ema() {
  for (Slot& slot : slots_) {
    if (!slot.ema.defined()) continue;
    float* a = slot.parameter.data<float>();
    std::swap_ranges(a, a + slot.parameter.elements(), slot.ema.data<float>());
  }
}

}  // namespace sensorium::train
