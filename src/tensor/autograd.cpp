#include "tensor/autograd.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/threads.h"

namespace sensorium {
namespace {

thread_local bool recording = true;

// sum += term in blocks of a fixed length, which compilers turn into vector instructions without further options.
template <typename Sum, typename Term>
void add_typed(Sum* sum, const Term* term, int64_t count) {
  constexpr int64_t kLanes = 32, kGrain = 1 << 15;
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      float lanes[kLanes], terms[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] = static_cast<float>(sum[i + j]);
      for (int64_t j = 0; j < kLanes; ++j) terms[j] = static_cast<float>(term[i + j]);
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += terms[j];
      for (int64_t j = 0; j < kLanes; ++j) sum[i + j] = static_cast<Sum>(lanes[j]);
    }
    for (; i < end; ++i) sum[i] = static_cast<Sum>(static_cast<float>(sum[i]) + static_cast<float>(term[i]));
  });
}

// sum += term, converting; both on the CPU. Where a tensor is used twice (every residual connection), or a leaf already
// has a gradient.
void add_into(Tensor& sum, const Tensor& term) {
  require(sum.shape() == term.shape(), ErrorKind::shape, "gradients of shapes {} and {} meet", sum.shape(),
          term.shape());
  const bool floats = (sum.dtype() == DType::f32 || sum.dtype() == DType::bf16) &&
                      (term.dtype() == DType::f32 || term.dtype() == DType::bf16);
  require(floats && (sum.dtype() == term.dtype() || sum.dtype() == DType::f32), ErrorKind::shape,
          "gradients of dtypes {} and {} meet", name_of(sum.dtype()), name_of(term.dtype()));
  if (sum.dtype() == DType::bf16) {
    add_typed(sum.data<bf16>(), term.data<bf16>(), sum.elements());
  } else if (term.dtype() == DType::bf16) {
    add_typed(sum.data<float>(), term.data<bf16>(), sum.elements());
  } else {
    add_typed(sum.data<float>(), term.data<float>(), sum.elements());
  }
}

// Tensors that lead to `root` and have a node, in an order where every tensor comes after its inputs.
std::vector<Tensor> topological_order(const Tensor& root) {
  std::vector<Tensor> order;
  std::unordered_set<const void*> seen{root.id()};
  std::vector<std::pair<Tensor, size_t>> stack{{root, 0}};
  while (!stack.empty()) {
    const std::shared_ptr<Node> node = stack.back().first.node();
    if (node && stack.back().second < node->inputs.size()) {
      const Tensor& input = node->inputs[stack.back().second++];
      if (input.defined() && input.requires_grad() && seen.insert(input.id()).second) stack.emplace_back(input, 0);
      continue;
    }
    order.push_back(std::move(stack.back().first));
    stack.pop_back();
  }
  return order;
}

void run_backward(const Tensor& root, Tensor seed) {
  std::unordered_map<const void*, Tensor> gradients;
  gradients.emplace(root.id(), std::move(seed));
  std::vector<Tensor> order = topological_order(root);
  const NoGrad no_grad;
  while (!order.empty()) {
    Tensor tensor = std::move(order.back());
    order.pop_back();
    const auto found = gradients.find(tensor.id());
    if (found == gradients.end()) continue;
    Tensor grad = std::move(found->second);
    gradients.erase(found);
    const std::shared_ptr<Node> node = tensor.node();
    if (!node) {
      if (Tensor sum = tensor.grad(); sum.defined()) {
        add_into(sum, grad);
      } else {
        const bool adopt = grad.dtype() == DType::f32 && grad.unique();
        tensor.set_grad(adopt ? std::move(grad) : grad.dtype() == DType::f32 ? grad.clone() : grad.to(DType::f32));
      }
      continue;
    }
    std::vector<Tensor> input_grads = node->backward(grad);
    require(input_grads.size() == node->inputs.size(), ErrorKind::shape, "{}: {} gradients for {} inputs", node->op,
            input_grads.size(), node->inputs.size());
    for (size_t i = 0; i < input_grads.size(); ++i) {
      const Tensor& input = node->inputs[i];
      Tensor& input_grad = input_grads[i];
      if (!input.defined() || !input.requires_grad() || !input_grad.defined()) continue;
      require(input_grad.shape() == input.shape(), ErrorKind::shape, "{}: gradient {} for input {} of shape {}",
              node->op, input_grad.shape(), i, input.shape());
      const auto place = gradients.find(input.id());
      if (place == gradients.end()) {
        gradients.emplace(input.id(), std::move(input_grad));
      } else {
        if (!place->second.unique()) place->second = place->second.clone();  // another input may share it
        add_into(place->second, input_grad);
      }
    }
    // Free what this node kept.
    tensor.set_node(nullptr);
  }
}

}  // namespace

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : outer_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = outer_; }

bool will_record(std::initializer_list<Tensor> inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); });
}

Tensor grad_buffer(const Tensor& leaf) {
  Tensor handle = leaf;  // handles share the gradient
  if (!handle.grad().defined()) handle.set_grad(Tensor::zeros(leaf.shape(), DType::f32, leaf.device()));
  return handle.grad();
}

Tensor record(const char* op, Tensor output, std::vector<Tensor> inputs,
              std::function<std::vector<Tensor>(const Tensor&)> backward) {
  if (!recording) return output;
  const bool needed = std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); });
  if (needed) output.set_node(std::make_shared<Node>(Node{op, std::move(inputs), std::move(backward)}));
  return output;
}

void backward(const Tensor& loss, float scale) {
  require(loss.elements() == 1, ErrorKind::shape, "backward() needs a loss of one element, not {}", loss.shape());
  require(loss.requires_grad(), ErrorKind::shape, "backward(): nothing that the loss depends on requires a gradient");
  run_backward(loss, Tensor::full(loss.shape(), scale, loss.dtype()));
}

Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& function, std::vector<Tensor> inputs) {
  Tensor output;
  {
    const NoGrad no_grad;
    output = function(inputs);
  }
  if (!recording) return output;
  // The function may reach parameters that `inputs` do not show, so the node is recorded in any case.
  output = output.detach();
  output.set_node(std::make_shared<Node>(Node{
      "checkpoint", inputs, [function, inputs](const Tensor& grad) {
        std::vector<Tensor> leaves;
        leaves.reserve(inputs.size());
        for (const Tensor& input : inputs) {
          leaves.push_back(input.defined() ? input.detach() : input);
          if (input.requires_grad()) leaves.back().set_requires_grad(true);
        }
        Tensor again;
        recording = true;  // backward runs under NoGrad; restored below also on exceptions by the guard of run_backward
        try {
          again = function(leaves);
        } catch (...) {
          recording = false;
          throw;
        }
        recording = false;
        run_backward(again, grad);
        std::vector<Tensor> grads;
        for (size_t i = 0; i < inputs.size(); ++i) {
          Tensor g = inputs[i].requires_grad() ? leaves[i].grad() : Tensor();
          grads.push_back(g.defined() ? g.to(inputs[i].dtype()) : g);
        }
        return grads;
      }}));
  return output;
}

}  // namespace sensorium
