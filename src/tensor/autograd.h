// Reverse-mode differentiation over the nodes that operations record.
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "tensor/tensor.h"

namespace sensorium {

// Whether operations record nodes on this thread. Default: on.
bool grad_enabled();
// Turns recording off while it lives.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool outer_;
};

// Attaches a node to `output` if gradients are on and an input requires them; returns `output`. `backward` must not
// capture the output tensor itself (a cycle): capture output.detach().
Tensor record(const char* op, Tensor output, std::vector<Tensor> inputs,
              std::function<std::vector<Tensor>(const Tensor& grad_output)> backward);

// Whether an operation on these inputs records a node: gradients are on and an input requires one. Operations that keep
// something for their backward function only (statistics, masks) ask first.
bool will_record(std::initializer_list<Tensor> inputs);

// For backward functions that add a leaf's gradient in place, without a temporary: grad() of the leaf (f32), created as
// zeros if there is none. The function then returns an undefined Tensor for that input.
inline bool is_leaf(const Tensor& tensor) { return tensor.requires_grad() && !tensor.node(); }
Tensor grad_buffer(const Tensor& leaf);

// Adds d(loss)/d(leaf) into grad() of every leaf that requires it. `loss` has one element; `scale` multiplies it (for
// gradient accumulation). Frees the graph on the way. Gradients of activations have the activation's dtype, gradients of
// leaves are f32. Throws Error(shape) if the loss has several elements or needs no gradient.
void backward(const Tensor& loss, float scale = 1.0f);

// Activation checkpointing: runs `function` without recording and runs it again in the backward pass, so that only
// inputs and output are kept. The function must be deterministic and use no tensor that requires grad besides `inputs`
// and leaves (parameters).
Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& function, std::vector<Tensor> inputs);

}  // namespace sensorium
