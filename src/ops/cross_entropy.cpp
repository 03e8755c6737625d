// Softmax cross-entropy, alone and fused with the vocabulary projection. Both compute their gradients in the forward
// pass, in the same sweep over the logits, and multiply them by the gradient of the loss in the backward pass.
// Legend: T rows, K features, V classes.
#include "kernels/loss.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;
using kernels::KernelTable;

// What each row's loss is multiplied by: its weight / normalizer, zero where it is left out.
std::vector<float> row_scales(const char* op, const Tensor& targets, const Tensor& weights, int64_t rows,
                              int64_t classes, double normalizer) {
  require_shape(targets, {rows}, op, "the targets");
  require_dtype(targets, DType::i32, op, "the targets");
  if (weights.defined()) {
    require_shape(weights, {rows}, op, "the weights");
    require_dtype(weights, DType::f32, op, "the weights");
  }
  std::vector<float> scales(static_cast<size_t>(rows));
  double total = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t target = targets.data<int32_t>()[i];
    require(target >= -1 && target < classes, ErrorKind::shape, "{}: target {} of row {} among {} classes", op, target,
            i, classes);
    const float weight = target < 0 ? 0.0f : weights.defined() ? weights.data<float>()[i] : 1.0f;
    scales[static_cast<size_t>(i)] = weight;
    total += weight;
  }
  const double divisor = normalizer != 0 ? normalizer : total;
  const auto factor = static_cast<float>(divisor == 0 ? 0.0 : 1.0 / divisor);
  for (float& scale : scales) scale *= factor;
  return scales;
}

Tensor total_loss(const Tensor& losses, const std::vector<float>& scales) {
  double sum = 0;
  for (size_t i = 0; i < scales.size(); ++i) {
    // A row that does not count must not spoil the sum, even if its loss is infinite.
    if (scales[i] != 0.0f) sum += static_cast<double>(losses.data<float>()[i]) * scales[i];
  }
  return Tensor::full({1}, static_cast<float>(sum));
}

// Multiplies in place.
void multiply_by(const Tensor& x, float factor) {
  if (factor == 1.0f) return;
  launch(&KernelTable::binary, x, "cross_entropy",
         {.function = kernels::Binary::add,
          .count = x.elements(),
          .a = view(x),
          .b = view(x),
          .scale_a = factor * 0.5f,
          .scale_b = factor * 0.5f,
          .y = view(x)});
}

// Hands a leaf the gradient `dw` (f32) times `factor` without a copy where it is the first one.
void add_to_leaf(Tensor leaf, const Tensor& dw, float factor) {
  const Tensor sum = leaf.grad();
  if (!sum.defined()) {
    multiply_by(dw, factor);
    leaf.set_grad(dw);
    return;
  }
  launch(&KernelTable::binary, dw, "linear_cross_entropy",
         {.function = kernels::Binary::add,
          .count = dw.elements(),
          .a = view(sum),
          .b = view(dw),
          .scale_b = factor,
          .y = view(sum)});
}

}  // namespace

Tensor cross_entropy(const Tensor& logits_TV, const Tensor& targets_T, const Tensor& weights_T, double normalizer,
                     float label_smoothing) {
  require_activation(logits_TV, "cross_entropy", "the logits");
  require_rank(logits_TV, 2, "cross_entropy", "the logits");
  require(label_smoothing >= 0.0f && label_smoothing < 1.0f, ErrorKind::shape,
          "cross_entropy: label smoothing must be in [0, 1), it is {}", label_smoothing);
  const int64_t rows = logits_TV.dim(0), classes = logits_TV.dim(1);
  const std::vector<float> scales = row_scales("cross_entropy", targets_T, weights_T, rows, classes, normalizer);
  const bool recorded = will_record({logits_TV});
  const Tensor losses = Tensor::empty({rows}, DType::f32, logits_TV.device());
  const Tensor dlogits = recorded ? Tensor::empty(logits_TV.shape(), logits_TV.dtype(), logits_TV.device()) : Tensor();
  if (rows != 0) {
    launch(&KernelTable::cross_entropy, logits_TV, "cross_entropy",
           {.rows = rows,
            .classes = classes,
            .logits = view(logits_TV),
            .targets = targets_T.data<int32_t>(),
            .label_smoothing = label_smoothing,
            .losses = losses.data<float>(),
            .grad = view(dlogits),
            .row_scale = scales.data()});
  }
  return record("cross_entropy", total_loss(losses, scales), {logits_TV}, [dlogits](const Tensor& dy) {
    multiply_by(dlogits, dy.item());
    return std::vector<Tensor>{dlogits};
  });
}

Tensor linear_cross_entropy(const Tensor& h_TK, const Tensor& w_VK, const Tensor& targets_T, const Tensor& weights_T,
                            double normalizer, Tensor* row_losses, Tensor* best) {
  require_activation(h_TK, "linear_cross_entropy", "h");
  require_activation(w_VK, "linear_cross_entropy", "the weight");
  require_rank(h_TK, 2, "linear_cross_entropy", "h");
  require_rank(w_VK, 2, "linear_cross_entropy", "the weight");
  require(h_TK.dim(1) == w_VK.dim(1), ErrorKind::shape, "linear_cross_entropy: h {} does not fit weight {}",
          h_TK.shape(), w_VK.shape());
  const int64_t rows = h_TK.dim(0), dim = h_TK.dim(1), classes = w_VK.dim(0);
  const std::vector<float> scales = row_scales("linear_cross_entropy", targets_T, weights_T, rows, classes, normalizer);
  const bool recorded = will_record({h_TK, w_VK});
  const Tensor losses = Tensor::empty({rows}, DType::f32, h_TK.device());
  if (best) *best = Tensor::empty({rows}, DType::i32, h_TK.device());
  const Tensor dh =
      recorded && h_TK.requires_grad() ? Tensor::empty(h_TK.shape(), h_TK.dtype(), h_TK.device()) : Tensor();
  // A buffer of its own: the gradient of the loss is known only in the backward pass.
  const Tensor dw =
      recorded && w_VK.requires_grad() ? Tensor::zeros(w_VK.shape(), DType::f32, w_VK.device()) : Tensor();
  if (rows != 0) {
    launch(&KernelTable::linear_cross_entropy, h_TK, "linear_cross_entropy",
           {.rows = rows,
            .dim = dim,
            .vocabulary = classes,
            .h = view(h_TK),
            .w = view(w_VK),
            .targets = targets_T.data<int32_t>(),
            .row_scale = scales.data(),
            .compute = h_TK.dtype(),
            .losses = losses.data<float>(),
            .best = best ? best->data<int32_t>() : nullptr,
            .grad_h = view(dh),
            .grad_w = dw.defined() ? dw.data<float>() : nullptr});
  }
  if (row_losses) *row_losses = losses;
  return record("linear_cross_entropy", total_loss(losses, scales), {h_TK, w_VK}, [w_VK, dh, dw](const Tensor& dy) {
    std::vector<Tensor> grads(2);
    const float factor = dy.item();
    if (dh.defined()) {
      multiply_by(dh, factor);
      grads[0] = dh;
    }
    if (dw.defined() && is_leaf(w_VK)) {
      add_to_leaf(w_VK, dw, factor);
    } else if (dw.defined()) {
      multiply_by(dw, factor);
      grads[1] = converted(dw, w_VK.dtype());
    }
    return grads;
  });
}

}  // namespace sensorium::ops
