// Legend: T rows, K input features, N features of the whole result, M of its changed columns, R rank.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

Tensor add_low_rank(const Tensor& y_TN, const Tensor& x_TK, const Tensor& a_RK, const Tensor& b_MR, int64_t column,
                    float scale) {
  require_activation(x_TK, "add_low_rank", "x");
  require_rank(x_TK, 2, "add_low_rank", "x");
  require_rank(a_RK, 2, "add_low_rank", "a");
  require_rank(b_MR, 2, "add_low_rank", "b");
  const int64_t rows = x_TK.dim(0), in = x_TK.dim(1), rank = a_RK.dim(0), out = b_MR.dim(0);
  require_shape(a_RK, {rank, in}, "add_low_rank", "a");
  require_shape(b_MR, {out, rank}, "add_low_rank", "b");
  require_rank(y_TN, 2, "add_low_rank", "y");
  const int64_t width = y_TN.dim(1);
  require_shape(y_TN, {rows, width}, "add_low_rank", "y");
  require_dtype(y_TN, x_TK.dtype(), "add_low_rank", "y");
  require(column >= 0 && out >= 0 && column + out <= width, ErrorKind::shape, "add_low_rank: columns [{}, {}) of y {}",
          column, column + out, y_TN.shape());
  const DType compute = x_TK.dtype();
  // The first of the changed columns in a tensor of y's shape.
  const auto columns_of = [column](const Tensor& tensor) {
    return static_cast<void*>(static_cast<std::byte*>(tensor.raw()) +
                              static_cast<size_t>(column) * size_of(tensor.dtype()));
  };

  Tensor h_TR = Tensor::empty({rows, rank}, x_TK.dtype(), x_TK.device());
  const Tensor result = y_TN.detach();
  if (rows != 0) {
    launch(&KernelTable::gemm, x_TK, "add_low_rank",
           {.m = rows,
            .n = rank,
            .k = in,
            .a = {x_TK.raw(), x_TK.dtype(), in, 1},
            .b = {a_RK.raw(), a_RK.dtype(), 1, in},
            .c = h_TR.raw(),
            .c_dtype = h_TR.dtype(),
            .ldc = rank,
            .compute = compute});
    h_TR = scaled(h_TR, scale);
    launch(&KernelTable::gemm, x_TK, "add_low_rank",
           {.m = rows,
            .n = out,
            .k = rank,
            .a = {h_TR.raw(), h_TR.dtype(), rank, 1},
            .b = {b_MR.raw(), b_MR.dtype(), 1, rank},
            .c = columns_of(result),
            .c_dtype = result.dtype(),
            .ldc = width,
            .accumulate = true,
            .compute = compute});
  }
  return record("add_low_rank", result, {y_TN, x_TK, a_RK, b_MR}, [=](const Tensor& dy_TN) {
    std::vector<Tensor> grads(4);
    if (y_TN.requires_grad()) grads[0] = dy_TN;
    const void* dy_TM = columns_of(dy_TN);
    if (b_MR.requires_grad()) grads[3] = weight_grad(dy_TM, dy_TN.dtype(), width, h_TR, b_MR, compute);
    if (!x_TK.requires_grad() && !a_RK.requires_grad()) return grads;
    Tensor dh_TR = Tensor::empty(h_TR.shape(), h_TR.dtype(), h_TR.device());
    if (rows != 0) {
      launch(&KernelTable::gemm, x_TK, "add_low_rank",
             {.m = rows,
              .n = rank,
              .k = out,
              .a = {dy_TM, dy_TN.dtype(), width, 1},
              .b = {b_MR.raw(), b_MR.dtype(), rank, 1},
              .c = dh_TR.raw(),
              .c_dtype = dh_TR.dtype(),
              .ldc = rank,
              .compute = compute});
      dh_TR = scaled(dh_TR, scale);
    }
    if (a_RK.requires_grad()) grads[2] = weight_grad(dh_TR.raw(), dh_TR.dtype(), rank, x_TK, a_RK, compute);
    if (x_TK.requires_grad()) {
      grads[1] = Tensor::empty(x_TK.shape(), x_TK.dtype(), x_TK.device());
      if (rows != 0) {
        launch(&KernelTable::gemm, x_TK, "add_low_rank",
               {.m = rows,
                .n = in,
                .k = rank,
                .a = {dh_TR.raw(), dh_TR.dtype(), rank, 1},
                .b = {a_RK.raw(), a_RK.dtype(), in, 1},
                .c = grads[1].raw(),
                .c_dtype = grads[1].dtype(),
                .ldc = in,
                .compute = compute});
      }
    }
    return grads;
  });
}

}  // namespace sensorium::ops
