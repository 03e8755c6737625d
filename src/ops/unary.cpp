#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;
using kernels::Unary;

Tensor unary(Unary function, const Tensor& x) {
  require_activation(x, "unary", "x");
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  launch(&KernelTable::unary, x, "unary", {.function = function, .count = x.elements(), .x = view(x), .y = view(y)});
  return record("unary", y, {x}, [function, x](const Tensor& dy) {
    const Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
    launch(&KernelTable::unary_backward, x, "unary",
           {.function = function, .count = x.elements(), .x = view(x), .grad_y = view(dy), .grad_x = view(dx)});
    return std::vector<Tensor>{dx};
  });
}

Tensor gelu(const Tensor& x) { return unary(Unary::gelu_erf, x); }
Tensor gelu_tanh(const Tensor& x) { return unary(Unary::gelu_tanh, x); }
Tensor silu(const Tensor& x) { return unary(Unary::silu, x); }
Tensor relu(const Tensor& x) { return unary(Unary::relu, x); }
Tensor sigmoid(const Tensor& x) { return unary(Unary::sigmoid, x); }

Tensor swiglu(const Tensor& x_T2F) {
  require_activation(x_T2F, "swiglu", "x");
  require(x_T2F.rank() == 2 && x_T2F.dim(1) % 2 == 0, ErrorKind::shape,
          "swiglu: x must be [T, 2F] (gate, then value), it is {}", x_T2F.shape());
  const int64_t rows = x_T2F.dim(0), width = x_T2F.dim(1) / 2;
  const Tensor y_TF = Tensor::empty({rows, width}, x_T2F.dtype(), x_T2F.device());
  launch(&KernelTable::swiglu, x_T2F, "swiglu", {.rows = rows, .width = width, .x = view(x_T2F), .y = view(y_TF)});
  return record("swiglu", y_TF, {x_T2F}, [x_T2F, rows, width](const Tensor& dy_TF) {
    const Tensor dx = Tensor::empty(x_T2F.shape(), x_T2F.dtype(), x_T2F.device());
    launch(&KernelTable::swiglu_backward, x_T2F, "swiglu",
           {.rows = rows, .width = width, .x = view(x_T2F), .grad_y = view(dy_TF), .grad_x = view(dx)});
    return std::vector<Tensor>{dx};
  });
}

Tensor cast(const Tensor& x, DType dtype) {
  require(x.defined() && is_float(x.dtype()) && is_float(dtype), ErrorKind::shape,
          "cast: {} to {} is not float to float", x.defined() ? name_of(x.dtype()) : "undefined", name_of(dtype));
  if (x.dtype() == dtype) return x;
  return record("cast", converted(x, dtype), {x},
                [from = x.dtype()](const Tensor& dy) { return std::vector<Tensor>{converted(dy, from)}; });
}

}  // namespace sensorium::ops
