// Legend: T rows, K input features, N output features.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

Tensor linear(const Tensor& x_TK, const Tensor& w_NK, const Tensor& bias_N) {
  require_activation(x_TK, "linear", "x");
  require_rank(x_TK, 2, "linear", "x");
  require_rank(w_NK, 2, "linear", "the weight");
  require(is_float(w_NK.dtype()), ErrorKind::shape, "linear: the weight must be float, it is {}",
          name_of(w_NK.dtype()));
  require(x_TK.dim(1) == w_NK.dim(1), ErrorKind::shape, "linear: x {} does not fit weight {}", x_TK.shape(),
          w_NK.shape());
  const int64_t rows = x_TK.dim(0), in = x_TK.dim(1), out = w_NK.dim(0);
  if (bias_N.defined()) require_shape(bias_N, {out}, "linear", "the bias");
  const DType compute = x_TK.dtype();

  const Tensor y_TN = Tensor::empty({rows, out}, x_TK.dtype(), x_TK.device());
  if (rows != 0) {
    const Tensor bias = as_f32(bias_N);
    launch(&KernelTable::gemm, x_TK, "linear",
           {.m = rows,
            .n = out,
            .k = in,
            .a = {x_TK.raw(), x_TK.dtype(), in, 1},
            .b = {w_NK.raw(), w_NK.dtype(), 1, in},
            .c = y_TN.raw(),
            .c_dtype = y_TN.dtype(),
            .ldc = out,
            .bias = f32_data(bias),
            .compute = compute});
  }
  if (!will_record({x_TK, w_NK, bias_N})) return y_TN;

  return record("linear", y_TN, {x_TK, w_NK, bias_N}, [=](const Tensor& dy_TN) {
    std::vector<Tensor> grads(3);
    if (x_TK.requires_grad()) {
      grads[0] = Tensor::empty(x_TK.shape(), x_TK.dtype(), x_TK.device());
      if (rows != 0) {
        launch(&KernelTable::gemm, x_TK, "linear",
               {.m = rows,
                .n = in,
                .k = out,
                .a = {dy_TN.raw(), dy_TN.dtype(), out, 1},
                .b = {w_NK.raw(), w_NK.dtype(), in, 1},
                .c = grads[0].raw(),
                .c_dtype = grads[0].dtype(),
                .ldc = in,
                .compute = compute});
      }
    }
    if (w_NK.requires_grad()) grads[1] = weight_grad(dy_TN.raw(), dy_TN.dtype(), out, x_TK, w_NK, compute);
    if (bias_N.requires_grad()) {
      const GradTarget bias(bias_N);
      launch(&KernelTable::column_sum, x_TK, "linear",
             {.rows = rows, .cols = out, .x = view(dy_TN), .out = bias.data()});
      grads[2] = bias.result();
    }
    return grads;
  });
}

}  // namespace sensorium::ops
