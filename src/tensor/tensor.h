// Tensors: dense, row-major, outermost dimension first; a value-semantic handle on shared memory.
//
// A copy of a Tensor is another handle on the same elements; clone() copies the elements. reshape(), slice() and flatten
// give views (no copy): tensors are always contiguous. Every tensor carries its device; only operations of the layer
// `ops` look at it, to find their kernel.
//
// Autograd state (requires_grad, grad, the node that made the tensor) belongs to the shared part, so that all handles
// see it. Thread-safety: as for std::shared_ptr; one thread at a time may change a tensor.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/dtype.h"

namespace sensorium {

enum class DeviceKind : uint8_t { cpu, cuda };
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};
std::string name_of(Device device);  // "cpu", "cuda:0"

// Up to six dimensions, kept inline.
class Shape {
 public:
  static constexpr int kMaxRank = 6;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  // Throws Error(shape): rank above 6, a negative dimension, or more than 2^62 elements.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int dim) const { return dims_[static_cast<size_t>(dim < 0 ? dim + rank_ : dim)]; }
  int64_t elements() const;
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  friend bool operator==(const Shape& a, const Shape& b) { return std::ranges::equal(a.dims(), b.dims()); }
  std::string str() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// Memory that tensors share: owned (64-byte aligned, from a cache of freed blocks) or borrowed from an owner such as a
// memory-mapped file, which it keeps alive.
class Storage {
 public:
  static std::shared_ptr<Storage> allocate(size_t bytes, Device device);
  static std::shared_ptr<Storage> borrow(void* data, size_t bytes, std::shared_ptr<const void> owner);
  Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner, bool owned);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool owned() const { return owned_; }

 private:
  void* data_;
  size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
  bool owned_;
};
// Returns cached free blocks to the operating system.
void release_cached_memory();
// Bytes of tensor memory in use now, and the most since reset_peak_tensor_bytes().
size_t tensor_bytes_in_use();
size_t peak_tensor_bytes();
void reset_peak_tensor_bytes();

class Tensor;

// What made a tensor: its inputs, and the function from the gradient of the output to the gradients of the inputs (an
// undefined Tensor for an input that needs none).
struct Node {
  const char* op = "";
  std::vector<Tensor> inputs;
  std::function<std::vector<Tensor>(const Tensor& grad_output)> backward;
};

class Tensor {
 public:
  Tensor() = default;  // undefined
  // Uninitialised, zero and constant tensors.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = {});
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = {});
  static Tensor full(const Shape& shape, float value, DType dtype = DType::f32, Device device = {});
  // Normal with the given standard deviation, f32 or rounded from it.
  static Tensor randn(const Shape& shape, Rng& rng, float stddev = 1.0f, DType dtype = DType::f32);
  template <typename T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <typename T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  // A view of memory that `owner` keeps alive (weights in a mapped file); read-only by convention.
  static Tensor borrow(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl_->shape; }
  int64_t dim(int index) const { return impl_->shape[index]; }
  int rank() const { return impl_->shape.rank(); }
  int64_t elements() const { return impl_->elements; }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->storage->device(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype()); }

  void* raw() const { return static_cast<std::byte*>(impl_->storage->data()) + impl_->offset; }
  // Typed access on the CPU. Throws Error(shape) if T is not the dtype.
  template <typename T>
  T* data() const {
    check_type(dtype_of<T>::value);
    return static_cast<T*>(raw());
  }
  template <typename T>
  std::span<T> span() const {
    return {data<T>(), static_cast<size_t>(elements())};
  }
  // The only element of a one-element float tensor; throws Error(shape).
  float item() const;
  std::vector<float> to_floats() const;

  // Views of the same memory; throw Error(shape). slice() takes [begin, end) of the outermost dimension. Views take part
  // in autograd.
  Tensor reshape(const Shape& shape) const;
  Tensor slice(int64_t begin, int64_t end) const;
  Tensor clone() const;                 // copies the elements; outside autograd
  Tensor detach() const;                // same memory, outside autograd
  Tensor to(DType dtype) const;         // conversion outside autograd (ops::cast takes part in it)
  void copy_from(const Tensor& other);  // same shape; converts
  void fill(float value);

  // True for parameters and everything computed from them while gradients are on.
  bool requires_grad() const { return impl_ && impl_->requires_grad; }
  Tensor& set_requires_grad(bool value);
  // The gradient that backward() accumulated into a leaf (f32); undefined before.
  Tensor grad() const;
  void set_grad(Tensor grad);
  void clear_grad();
  const std::shared_ptr<Node>& node() const { return impl_->node; }
  void set_node(std::shared_ptr<Node> node);
  // Identity of the shared part: handles on one tensor give the same value.
  const void* id() const { return impl_.get(); }
  // True if no other handle or view shares the memory.
  bool unique() const { return impl_.use_count() == 1 && impl_->storage.use_count() == 1; }

 private:
  struct Impl {
    Shape shape;
    int64_t elements = 0;
    DType dtype = DType::f32;
    size_t offset = 0;  // bytes
    std::shared_ptr<Storage> storage;
    bool requires_grad = false;
    std::unique_ptr<Tensor> grad;
    std::shared_ptr<Node> node;
  };
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  Tensor view(const Shape& shape, size_t offset) const;
  void check_type(DType wanted) const;

  std::shared_ptr<Impl> impl_;
};

}  // namespace sensorium

// Shapes are arguments of messages as they are: nothing is formatted unless the message is needed.
template <>
struct fmt::formatter<sensorium::Shape> : fmt::formatter<std::string_view> {
  auto format(const sensorium::Shape& shape, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(shape.str(), context);
  }
};
