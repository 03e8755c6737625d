#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

double operand(const GemmOperand& matrix, int64_t row, int64_t column, DType compute) {
  const double value = get({matrix.data, matrix.dtype}, row * matrix.row_stride + column * matrix.col_stride);
  return compute == DType::bf16 ? static_cast<double>(static_cast<float>(bf16(static_cast<float>(value)))) : value;
}

}  // namespace

void gemm(const GemmArgs& args) {
  for (int64_t i = 0; i < args.m; ++i) {
    for (int64_t j = 0; j < args.n; ++j) {
      double sum = args.bias != nullptr ? static_cast<double>(args.bias[j]) : 0.0;
      for (int64_t k = 0; k < args.k; ++k)
        sum += operand(args.a, i, k, args.compute) * operand(args.b, k, j, args.compute);
      const int64_t at = i * args.ldc + j;
      if (args.accumulate) sum += get({args.c, args.c_dtype}, at);
      if (args.c_dtype == DType::f32) {
        static_cast<float*>(args.c)[at] = static_cast<float>(sum);
      } else {
        static_cast<bf16*>(args.c)[at] = bf16(static_cast<float>(sum));
      }
    }
  }
}

}  // namespace sensorium::kernels::ref
