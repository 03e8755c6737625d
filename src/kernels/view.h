// How kernels receive memory: a base pointer with an element type. Float views are f32 or bf16 unless said otherwise.
#pragma once

#include "tensor/dtype.h"

namespace sensorium::kernels {

struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::f32;
};
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  operator ConstView() const { return {data, dtype}; }  // NOLINT: a view of constant elements
};

}  // namespace sensorium::kernels
