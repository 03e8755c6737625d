#include "tensor/tensor.h"

#include <cstring>

#include "base/threads.h"
#include "tensor/autograd.h"

namespace sensorium {
namespace {

float load(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32:
      return static_cast<const float*>(data)[i];
    case DType::bf16:
      return static_cast<float>(static_cast<const bf16*>(data)[i]);
    case DType::f16:
      return static_cast<float>(static_cast<const f16*>(data)[i]);
    case DType::i8:
      return static_cast<float>(static_cast<const int8_t*>(data)[i]);
    case DType::u8:
      return static_cast<float>(static_cast<const uint8_t*>(data)[i]);
    case DType::i32:
      return static_cast<float>(static_cast<const int32_t*>(data)[i]);
    case DType::i64:
      return static_cast<float>(static_cast<const int64_t*>(data)[i]);
  }
  return 0;
}

void store(void* data, DType dtype, int64_t i, float value) {
  switch (dtype) {
    case DType::f32:
      static_cast<float*>(data)[i] = value;
      return;
    case DType::bf16:
      static_cast<bf16*>(data)[i] = bf16(value);
      return;
    case DType::f16:
      static_cast<f16*>(data)[i] = f16(value);
      return;
    case DType::i8:
      static_cast<int8_t*>(data)[i] = static_cast<int8_t>(value);
      return;
    case DType::u8:
      static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(value);
      return;
    case DType::i32:
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
      return;
    case DType::i64:
      static_cast<int64_t*>(data)[i] = static_cast<int64_t>(value);
      return;
  }
}

// Between f32 and bf16, in blocks of a fixed length, which compilers turn into vector instructions.
template <typename To, typename From>
void convert(To* to, const From* from, int64_t count) {
  constexpr int64_t kLanes = 32, kGrain = 1 << 15;
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      float lanes[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] = static_cast<float>(from[i + j]);
      for (int64_t j = 0; j < kLanes; ++j) to[i + j] = static_cast<To>(lanes[j]);
    }
    for (; i < end; ++i) to[i] = static_cast<To>(static_cast<float>(from[i]));
  });
}

}  // namespace

namespace {
constexpr size_t kMaxBytes = size_t{1} << 47;  // addresses of a process
}

std::string name_of(Device device) {
  return device.kind == DeviceKind::cpu ? "cpu" : fmt::format("cuda:{}", device.index);
}

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  require(dims.size() <= kMaxRank, ErrorKind::shape, "a shape has at most {} dimensions, got {}", +kMaxRank,
          dims.size());
  int64_t total = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    require(dims[i] >= 0, ErrorKind::shape, "negative dimension {}", dims[i]);
    int64_t product = 0;
    require(!__builtin_mul_overflow(total, std::max<int64_t>(dims[i], 1), &product) && product <= (int64_t{1} << 62),
            ErrorKind::shape, "shape has too many elements");
    total = product;
    dims_[i] = dims[i];
  }
}

int64_t Shape::elements() const {
  int64_t total = 1;
  for (const int64_t d : dims()) total *= d;
  return total;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  auto impl = std::make_shared<Impl>();
  impl->shape = shape;
  impl->elements = shape.elements();
  impl->dtype = dtype;
  size_t bytes = 0;
  require(!__builtin_mul_overflow(static_cast<size_t>(impl->elements), size_of(dtype), &bytes) && bytes <= kMaxBytes,
          ErrorKind::limit, "a tensor of shape {} in {} needs more bytes than a machine can address", shape.str(),
          name_of(dtype));
  impl->storage = Storage::allocate(bytes, device);
  return Tensor(std::move(impl));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  std::memset(result.raw(), 0, result.bytes());
  return result;
}

Tensor Tensor::full(const Shape& shape, float value, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  result.fill(value);
  return result;
}

Tensor Tensor::randn(const Shape& shape, Rng& rng, float stddev, DType dtype) {
  Tensor result = empty(shape, dtype);
  for (int64_t i = 0; i < result.elements(); ++i) {
    store(result.raw(), dtype, i, static_cast<float>(rng.normal()) * stddev);
  }
  return result;
}

template <typename T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  require(static_cast<int64_t>(values.size()) == shape.elements(), ErrorKind::shape, "{} values do not fill shape {}",
          values.size(), shape);
  Tensor result = empty(shape, dtype_of<T>::value);
  if (!values.empty()) std::memcpy(result.raw(), values.data(), values.size_bytes());
  return result;
}
template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const bf16>, const Shape&);
template Tensor Tensor::from(std::span<const f16>, const Shape&);
template Tensor Tensor::from(std::span<const int8_t>, const Shape&);
template Tensor Tensor::from(std::span<const uint8_t>, const Shape&);
template Tensor Tensor::from(std::span<const int32_t>, const Shape&);
template Tensor Tensor::from(std::span<const int64_t>, const Shape&);

Tensor Tensor::borrow(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner) {
  auto impl = std::make_shared<Impl>();
  impl->shape = shape;
  impl->elements = shape.elements();
  impl->dtype = dtype;
  impl->storage =
      Storage::borrow(const_cast<void*>(data), static_cast<size_t>(impl->elements) * size_of(dtype), std::move(owner));
  return Tensor(std::move(impl));
}

float Tensor::item() const {
  require(elements() == 1, ErrorKind::shape, "item() needs one element, the tensor has shape {}", shape());
  return load(raw(), dtype(), 0);
}

std::vector<float> Tensor::to_floats() const {
  std::vector<float> values(static_cast<size_t>(elements()));
  for (int64_t i = 0; i < elements(); ++i) values[static_cast<size_t>(i)] = load(raw(), dtype(), i);
  return values;
}

Tensor Tensor::view(const Shape& shape, size_t offset) const {
  auto impl = std::make_shared<Impl>();
  impl->shape = shape;
  impl->elements = shape.elements();
  impl->dtype = dtype();
  impl->offset = impl_->offset + offset;
  impl->storage = impl_->storage;
  return Tensor(std::move(impl));
}

Tensor Tensor::reshape(const Shape& shape) const {
  require(shape.elements() == elements(), ErrorKind::shape, "cannot reshape {} to {}", this->shape(), shape);
  return record("reshape", view(shape, 0), {*this},
                [from = this->shape()](const Tensor& grad) { return std::vector<Tensor>{grad.reshape(from)}; });
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  require(rank() >= 1 && begin >= 0 && begin <= end && end <= dim(0), ErrorKind::shape, "slice [{}, {}) of shape {}",
          begin, end, shape());
  std::vector<int64_t> dims(shape().dims().begin(), shape().dims().end());
  dims[0] = end - begin;
  const int64_t row = dim(0) == 0 ? 0 : elements() / dim(0);
  const size_t offset = static_cast<size_t>(begin * row) * size_of(dtype());
  return record("slice", view(Shape(dims), offset), {*this}, [from = shape(), offset](const Tensor& grad) {
    Tensor whole = Tensor::zeros(from, grad.dtype());
    std::memcpy(static_cast<std::byte*>(whole.raw()) + offset, grad.raw(), grad.bytes());
    return std::vector<Tensor>{whole};
  });
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape(), dtype(), device());
  if (bytes() != 0) std::memcpy(copy.raw(), raw(), bytes());
  return copy;
}

Tensor Tensor::detach() const { return view(shape(), 0); }

Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return detach();
  Tensor result = empty(shape(), dtype, device());
  result.copy_from(*this);
  return result;
}

void Tensor::copy_from(const Tensor& other) {
  require(shape() == other.shape(), ErrorKind::shape, "cannot copy {} into {}", other.shape(), shape());
  if (dtype() == other.dtype()) {
    if (bytes() != 0) std::memcpy(raw(), other.raw(), bytes());
    return;
  }
  if (dtype() == DType::f32 && other.dtype() == DType::bf16)
    return convert(data<float>(), other.data<bf16>(), elements());
  if (dtype() == DType::bf16 && other.dtype() == DType::f32)
    return convert(data<bf16>(), other.data<float>(), elements());
  for (int64_t i = 0; i < elements(); ++i) store(raw(), dtype(), i, load(other.raw(), other.dtype(), i));
}

void Tensor::fill(float value) {
  if (elements() == 0) return;
  // One element, then copies of what is there, up to a page at a time.
  constexpr size_t kPage = 4096;
  auto* memory = static_cast<std::byte*>(raw());
  store(memory, dtype(), 0, value);
  for (size_t done = size_of(dtype()); done < bytes();) {
    const size_t piece = std::min({done, kPage, bytes() - done});
    std::memcpy(memory + done, memory, piece);
    done += piece;
  }
}

Tensor& Tensor::set_requires_grad(bool value) {
  impl_->requires_grad = value;
  return *this;
}

Tensor Tensor::grad() const { return impl_->grad ? *impl_->grad : Tensor(); }
void Tensor::set_grad(Tensor grad) { impl_->grad = std::make_unique<Tensor>(std::move(grad)); }
void Tensor::clear_grad() { impl_->grad.reset(); }

void Tensor::set_node(std::shared_ptr<Node> node) {
  impl_->node = std::move(node);
  impl_->requires_grad = impl_->node != nullptr;
}

void Tensor::check_type(DType wanted) const {
  require(dtype() == wanted, ErrorKind::shape, "the tensor holds {}, not {}", name_of(dtype()), name_of(wanted));
}

}  // namespace sensorium
