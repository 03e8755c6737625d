// What the operations' files share: checks, views of tensors for kernels, where gradients of parameters go.
#pragma once

#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/table.h"
#include "ops/ops.h"
#include "tensor/autograd.h"
#include "tensor/tensor.h"

namespace sensorium::ops::detail {

inline kernels::View view(const Tensor& tensor) {
  return tensor.defined() ? kernels::View{tensor.raw(), tensor.dtype()} : kernels::View{};
}

// Calls the entry of the table of the device that holds `where`; throws Error(unsupported) if it has none.
template <typename Args>
void launch(void (*kernels::KernelTable::*entry)(const Args&), const Tensor& where, const char* op,
            const std::type_identity_t<Args>& args) {
  const kernels::KernelTable& table = kernels::kernel_table(where.device());
  kernels::find_kernel(table.*entry, table, op)(args);
}

// Activations: f32 or bf16.
inline void require_activation(const Tensor& x, const char* op, const char* name) {
  require(x.defined() && (x.dtype() == DType::f32 || x.dtype() == DType::bf16), ErrorKind::shape,
          "{}: {} must be f32 or bf16, it is {}", op, name, x.defined() ? name_of(x.dtype()) : "undefined");
}
// Errors are formatted out of the way of calls that are right: a step of generation makes hundreds of them.
inline void require_rank(const Tensor& x, int rank, const char* op, const char* name) {
  if (x.defined() && x.rank() == rank) return;
  fail(ErrorKind::shape, "{}: {} must have {} dimensions, it is {}", op, name, rank,
       x.defined() ? x.shape().str() : "undefined");
}
inline void require_shape(const Tensor& x, const Shape& shape, const char* op, const char* name) {
  if (x.defined() && x.shape() == shape) return;
  fail(ErrorKind::shape, "{}: {} must be {}, it is {}", op, name, shape, x.defined() ? x.shape().str() : "undefined");
}
inline void require_dtype(const Tensor& x, DType dtype, const char* op, const char* name) {
  require(x.dtype() == dtype, ErrorKind::shape, "{}: {} must be {}, it is {}", op, name, name_of(dtype),
          name_of(x.dtype()));
}
// For operations that are plain loops in their own file.
inline void require_cpu(const Tensor& x, const char* op) {
  require(x.device().kind == DeviceKind::cpu, ErrorKind::unsupported, "operation {} has no kernel on device {}", op,
          name_of(x.device()));
}

// x holds the positions of the pictures: [P, C].
void require_pictures(const Tensor& x, const Pictures& pictures, const char* op);

// Rows and columns of a tensor seen as a matrix: everything but the last dimension makes the rows.
inline int64_t last_dim(const Tensor& x) { return x.dim(-1); }
inline int64_t leading_rows(const Tensor& x) { return last_dim(x) == 0 ? 0 : x.elements() / last_dim(x); }

// A parameter vector as the kernels want it: f32. Frozen parameters may be stored in 16 bits; undefined stays
// undefined.
inline Tensor as_f32(const Tensor& vector) {
  return !vector.defined() || vector.dtype() == DType::f32 ? vector : vector.to(DType::f32);
}
inline const float* f32_data(const Tensor& vector) { return vector.defined() ? vector.data<float>() : nullptr; }

// Another dtype, through the device's kernel; the same tensor if it has that dtype already.
Tensor converted(const Tensor& x, DType dtype);
// x * factor in x's dtype.
Tensor scaled(const Tensor& x, float factor);

// Where the f32 gradient of a parameter-like input is added: the gradient buffer of a leaf itself, or zeros for an
// input that an operation made.
class GradTarget {
 public:
  explicit GradTarget(const Tensor& input);
  float* data() const { return sum_.defined() ? sum_.data<float>() : nullptr; }  // none if no gradient is needed
  // For kernels that always add somewhere: memory that is thrown away if the input is frozen; none if it is undefined.
  float* data_or_scratch();
  // For autograd: undefined for a leaf (its gradient is in place), else the sum in the input's dtype.
  Tensor result() const;

 private:
  Tensor input_, sum_, scratch_;
  bool leaf_ = false;
};

// dw_NK (+)= dy_TN^T x_TK for the parameter-like input `w`: into a leaf's gradient (undefined is returned), else a tensor of w's
// dtype. `dy_TN`: N columns of a matrix whose rows are `dy_stride` elements apart, the first one at `dy`.
Tensor weight_grad(const void* dy, DType dy_dtype, int64_t dy_stride, const Tensor& x_TK, Tensor w_NK, DType compute);

// f(pointer of the tensor's element type): the loop of an operation without a kernel, for f32 and bf16.
template <typename Fn>
void with_type(DType dtype, Fn&& fn) {
  if (dtype == DType::f32) {
    fn(float{});
  } else {
    fn(bf16{});
  }
}

}  // namespace sensorium::ops::detail
