#include <cmath>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {

void adamw(const AdamWArgs& args) {
  const double beta1 = args.beta1, beta2 = args.beta2, rate = args.learning_rate, decay = args.ema_decay;
  const double correct1 = 1 - std::pow(beta1, static_cast<double>(args.step));
  const double correct2 = 1 - std::pow(beta2, static_cast<double>(args.step));
  for (int64_t i = 0; i < args.count; ++i) {
    const double grad = static_cast<double>(args.grad[i]) * args.grad_scale;
    const double m = beta1 * args.m[i] + (1 - beta1) * grad;
    const double v = beta2 * args.v[i] + (1 - beta2) * grad * grad;
    const double old = args.parameter[i];
    const double update = m / correct1 / (std::sqrt(v / correct2) + args.eps) + args.weight_decay * old;
    const double parameter = old - rate * update;
    args.m[i] = static_cast<float>(m);
    args.v[i] = static_cast<float>(v);
    args.parameter[i] = static_cast<float>(parameter);
    if (args.ema != nullptr) args.ema[i] = static_cast<float>(decay * args.ema[i] + (1 - decay) * parameter);
  }
}

double sum_of_squares(const float* values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

}  // namespace sensorium::kernels::ref
