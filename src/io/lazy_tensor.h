// A tensor that is read or computed when its turn comes to be written, so that a checkpoint of any size is converted one
// tensor at a time.
#pragma once

#include <functional>
#include <string>

#include "tensor/tensor.h"

namespace sensorium::io {

struct LazyTensor {
  Shape shape;
  DType dtype = DType::f32;
  std::function<Tensor()> make;  // on the CPU, of that shape and dtype

  // What make() gives. Throws Error(shape) that names the tensor if it is another shape or dtype than announced.
  Tensor get(const std::string& name) const {
    Tensor tensor = make();
    require(tensor.shape() == shape && tensor.dtype() == dtype, ErrorKind::shape,
            "tensor {}: {} {} came, expected {} {}", name, name_of(tensor.dtype()), tensor.shape(), name_of(dtype),
            shape);
    return tensor;
  }
};

}  // namespace sensorium::io
