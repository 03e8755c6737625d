// Sums, products and scalings.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;
using kernels::Binary;
using kernels::BinaryArgs;
using kernels::KernelTable;

enum class Operand : uint8_t { same_shape, row };

Operand check(const Tensor& a, const Tensor& b, const char* op) {
  require_activation(a, op, "the first argument");
  require_activation(b, op, "the second argument");
  if (a.shape() == b.shape()) return Operand::same_shape;
  require(b.rank() == 1 && a.rank() >= 1 && b.dim(0) == last_dim(a), ErrorKind::shape,
          "{}: {} and {} are neither of one shape nor rows and a row", op, a.shape(), b.shape());
  return Operand::row;
}

Tensor run(const char* op, const Tensor& like, BinaryArgs args) {
  const Tensor y = Tensor::empty(like.shape(), like.dtype(), like.device());
  args.count = like.elements();
  args.y = view(y);
  if (args.count != 0) launch(&KernelTable::binary, like, op, args);
  return y;
}

// The gradient of a row that was added to all rows: column sums of factor * dy.
Tensor row_grad(const char* op, const Tensor& dy, const Tensor& row, float factor) {
  const auto add_sums = [&](float* out) {
    launch(&KernelTable::column_sum, dy, op,
           {.rows = leading_rows(dy), .cols = last_dim(dy), .x = view(dy), .out = out});
  };
  if (factor == 1.0f) {
    const GradTarget target(row);
    add_sums(target.data());
    return target.result();
  }
  const Tensor sums = Tensor::zeros(row.shape(), DType::f32, row.device());
  add_sums(sums.data<float>());
  return converted(scaled(sums, factor), row.dtype());
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, float scale_a, float scale_b) {
  const Operand operand = check(a, b, "add");
  const Tensor y = run("add", a,
                       {.function = Binary::add,
                        .a = view(a),
                        .b = view(b),
                        .b_period = operand == Operand::row ? b.elements() : 0,
                        .scale_a = scale_a,
                        .scale_b = scale_b});
  return record("add", y, {a, b}, [a, b, scale_a, scale_b, operand](const Tensor& dy) {
    std::vector<Tensor> grads(2);
    if (a.requires_grad()) grads[0] = scale_a == 1.0f ? dy : scaled(dy, scale_a);
    if (b.requires_grad()) {
      grads[1] = operand == Operand::row ? row_grad("add", dy, b, scale_b)
                                         : converted(scale_b == 1.0f ? dy : scaled(dy, scale_b), b.dtype());
    }
    return grads;
  });
}

Tensor multiply(const Tensor& a, const Tensor& b) {
  const Operand operand = check(a, b, "multiply");
  const int64_t period = operand == Operand::row ? b.elements() : 0;
  const Tensor y = run("multiply", a, {.function = Binary::multiply, .a = view(a), .b = view(b), .b_period = period});
  return record("multiply", y, {a, b}, [a, b, operand, period](const Tensor& dy) {
    std::vector<Tensor> grads(2);
    if (a.requires_grad()) {
      grads[0] = run("multiply", a, {.function = Binary::multiply, .a = view(dy), .b = view(b), .b_period = period});
    }
    if (b.requires_grad()) {
      // The products of a row are summed next: in f32, whatever the activations are. The kernel's result has the dtype
      // of its first argument.
      const Tensor factor = converted(dy, operand == Operand::row ? DType::f32 : b.dtype());
      const Tensor products = run("multiply", factor, {.function = Binary::multiply, .a = view(factor), .b = view(a)});
      grads[1] = operand == Operand::row ? row_grad("multiply", products, b, 1.0f) : products;
    }
    return grads;
  });
}

Tensor scale(const Tensor& x, float factor) {
  require_activation(x, "scale", "x");
  return record("scale", scaled(x, factor), {x},
                [factor](const Tensor& dy) { return std::vector<Tensor>{scaled(dy, factor)}; });
}

Tensor scale_rows(const Tensor& x_RC, const Tensor& factors_R) {
  require_activation(x_RC, "scale_rows", "x");
  require(x_RC.rank() >= 1, ErrorKind::shape, "scale_rows: x needs at least one dimension");
  require_shape(factors_R, {x_RC.dim(0)}, "scale_rows", "the factors");
  require_dtype(factors_R, DType::f32, "scale_rows", "the factors");
  const auto multiplied = [factors_R](const Tensor& x) {
    const int64_t row = x.dim(0) == 0 ? 0 : x.elements() / x.dim(0);
    return run("scale_rows", x, {.function = Binary::multiply, .a = view(x), .b = view(factors_R), .b_row = row});
  };
  return record("scale_rows", multiplied(x_RC), {x_RC},
                [multiplied](const Tensor& dy) { return std::vector<Tensor>{multiplied(dy)}; });
}

}  // namespace sensorium::ops
