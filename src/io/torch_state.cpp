#include "io/torch_state.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include "base/utf8.h"
#include "io/checked_shape.h"
#include "io/errors.h"

namespace sensorium::io {
namespace {

constexpr int kMaxDepth = 64, kMaxWrappers = 4;
// Shared parts are visited once per path to them. A legitimate file has more values than paths.
constexpr size_t kVisitsPerValue = 4, kNameBytesPerValue = 64;
constexpr size_t kSpareVisits = 1024, kSpareNameBytes = 1 << 20;
constexpr uint64_t kSpareCopyBytes = uint64_t{64} << 20;
constexpr std::array<std::string_view, 4> kWrappers = {"state_dict", "model_state_dict", "model", "module"};

bool is_contiguous(const Shape& shape, std::span<const int64_t> strides) {
  if (shape.elements() == 0) return true;
  int64_t expected = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 1) continue;
    if (strides[static_cast<size_t>(i)] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

bool is_viewable(const TorchTensor& tensor) {
  return tensor.element->bytes == size_of(*tensor.element->dtype) && is_contiguous(tensor.shape, tensor.strides) &&
         reinterpret_cast<uintptr_t>(tensor.bytes.data()) % tensor.element->bytes == 0;
}

class Collector {
 public:
  Collector(const Pickle& pickle, const TorchStorages& storages) : pickle_(pickle), storages_(storages) {
    const size_t values = pickle.values.size();
    visits_left_ = kVisitsPerValue * values + kSpareVisits;
    name_bytes_left_ = kNameBytesPerValue * values + kSpareNameBytes;
    copy_bytes_left_ = kSpareCopyBytes;
    for (const auto& [key, bytes] : storages) copy_bytes_left_ += 2 * bytes.size();
  }

  Result<std::vector<NamedTorchTensor>> run(TorchNames names) {
    PickleRef root = pickle_.root;
    if (pickle_.at(root).kind != PickleKind::dict) {
      return unsupported("the file holds a {}, expected a dict of tensors", name_of(pickle_.at(root).kind));
    }
    if (names == TorchNames::unwrapped) root = unwrap(root);
    if (std::optional<Error> error = visit(root, "", 0)) return *std::move(error);
    std::set<std::string_view> seen;
    for (const NamedTorchTensor& tensor : tensors_) {
      if (!seen.insert(tensor.name).second) return invalid("tensor {} stands twice", tensor.name);
    }
    return std::move(tensors_);
  }

 private:
  bool holds_tensor(PickleRef dict) const {
    const std::vector<PickleRef>& items = pickle_.at(dict).items;
    for (size_t i = 1; i < items.size(); i += 2) {
      if (pickle_.at(items[i]).kind == PickleKind::tensor) return true;
    }
    return false;
  }

  // The inner dicts that wrappers name, in the order of kWrappers.
  std::vector<PickleRef> wrapped(PickleRef dict) const {
    const std::vector<PickleRef>& items = pickle_.at(dict).items;
    std::vector<PickleRef> inner;
    for (const std::string_view wrapper : kWrappers) {
      for (size_t i = 1; i < items.size(); i += 2) {
        const PickleValue& key = pickle_.at(items[i - 1]);
        if (key.kind != PickleKind::text || key.text != wrapper) continue;
        if (pickle_.at(items[i]).kind == PickleKind::dict) inner.push_back(items[i]);
        break;
      }
    }
    return inner;
  }

  // The dict with tensors that wrappers lead to; the root if there is none.
  PickleRef unwrap(PickleRef root) const {
    PickleRef dict = root;
    for (int depth = 0; depth < kMaxWrappers; ++depth) {
      if (holds_tensor(dict)) return dict;
      const std::vector<PickleRef> inner = wrapped(dict);
      if (inner.empty()) return root;
      const auto direct = std::ranges::find_if(inner, [&](PickleRef ref) { return holds_tensor(ref); });
      dict = direct == inner.end() ? inner.front() : *direct;
    }
    return holds_tensor(dict) ? dict : root;
  }

  std::optional<Error> visit(PickleRef ref, const std::string& name, int depth) {
    if (visits_left_-- == 0) return over_limit("{}: the containers share their parts too often", name);
    const PickleValue& value = pickle_.at(ref);
    const bool is_dict = value.kind == PickleKind::dict;
    if (value.kind == PickleKind::tensor) return add(value, name);
    if (!is_dict && value.kind != PickleKind::list && value.kind != PickleKind::tuple) return {};
    if (depth == kMaxDepth) return over_limit("{}: nests deeper than {}, or holds itself", name, kMaxDepth);
    const std::string prefix = name.empty() ? "" : name + ".";
    for (size_t i = is_dict ? 1 : 0; i < value.items.size(); i += is_dict ? 2 : 1) {
      if (!may_hold_tensors(value.items[i])) continue;
      const Result<std::string> key = is_dict ? key_of(value.items[i - 1], name) : fmt::format("{}", i);
      if (!key) return key.error();
      std::string child = prefix + key.value();
      if (child.size() > name_bytes_left_)
        return over_limit("the tensors' names are too long: {}...", child.substr(0, 80));
      name_bytes_left_ -= child.size();
      if (std::optional<Error> error = visit(value.items[i], child, depth + 1)) return error;
    }
    return {};
  }

  bool may_hold_tensors(PickleRef ref) const {
    const PickleValue& value = pickle_.at(ref);
    return value.kind == PickleKind::tensor ||
           (!value.items.empty() &&
            (value.kind == PickleKind::dict || value.kind == PickleKind::list || value.kind == PickleKind::tuple));
  }

  Result<std::string> key_of(PickleRef ref, const std::string& where) const {
    const PickleValue& key = pickle_.at(ref);
    if (key.kind == PickleKind::integer) return fmt::format("{}", key.integer);
    if (key.kind != PickleKind::text) {
      return unsupported("{}: a dict's key is a {}, expected a string or an integer", where, name_of(key.kind));
    }
    if (find_invalid_utf8(key.text) != std::string_view::npos) return invalid("{}: a dict's key is not UTF-8", where);
    return std::string(key.text);
  }

  std::vector<int64_t> integers(PickleRef tuple) const {
    std::vector<int64_t> out;
    for (const PickleRef item : pickle_.at(tuple).items) out.push_back(pickle_.at(item).integer);
    return out;
  }

  std::optional<Error> add(const PickleValue& value, const std::string& name) {
    const PickleValue& storage = pickle_.at(value.items[0]);
    const TorchElement& element = *value.global->element;
    if (!element.dtype) {
      return unsupported(
          "tensor {}: {} is not supported (float64, float32, float16, bfloat16, int64, int32, int16, int8, "
          "uint8, bool)",
          name, element.name);
    }
    const auto found = storages_.find(storage.text);
    if (found == storages_.end()) {
      return invalid("tensor {}: the archive has no storage {}", name, repair_utf8(storage.text.substr(0, 80)));
    }
    const std::span<const std::byte> bytes = found->second;
    uint64_t storage_bytes = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(storage.integer), storage.global->element->bytes,
                               &storage_bytes) ||
        storage_bytes > bytes.size()) {
      return invalid("tensor {}: its storage has {} elements of {}, the archive {} bytes: cut off?", name,
                     storage.integer, storage.global->element->name, bytes.size());
    }
    const std::vector<int64_t> dims = integers(value.items[1]);
    std::vector<int64_t> strides = integers(value.items[2]);
    if (dims.size() > Shape::kMaxRank) {
      return unsupported("tensor {}: {} dimensions, supported are {}", name, dims.size(), +Shape::kMaxRank);
    }
    if (std::ranges::any_of(dims, [](int64_t n) { return n < 0; }) ||
        std::ranges::any_of(strides, [](int64_t n) { return n < 0; })) {
      return invalid("tensor {}: a negative size or stride", name);
    }
    const std::optional<Shape> shape = checked_shape(std::vector<uint64_t>(dims.begin(), dims.end()));
    // The last element that is reached, counted from the first; with no elements, none is.
    uint64_t last = 0;
    bool fits = shape.has_value() && value.integer >= 0;
    for (size_t i = 0; fits && i < dims.size(); ++i) {
      uint64_t reach = 0;
      fits = dims[i] == 0 ||
             (!__builtin_mul_overflow(dims[i] - 1, strides[i], &reach) && !__builtin_add_overflow(last, reach, &last));
    }
    // The step of a dimension that is never stepped along can be any number.
    for (size_t i = 0; i < dims.size(); ++i) strides[i] = dims[i] == 1 ? 0 : strides[i];
    const uint64_t elements = shape.has_value() ? static_cast<uint64_t>(shape->elements()) : 0;
    const uint64_t capacity = storage_bytes / element.bytes, first = static_cast<uint64_t>(value.integer);
    if (!fits || first > capacity || (elements > 0 && last >= capacity - first)) {
      return invalid("tensor {}: shape [{}] with strides [{}] from element {} does not fit its storage of {}", name,
                     fmt::join(dims, ", "), fmt::join(strides, ", "), value.integer, capacity);
    }
    TorchTensor tensor{&element, *shape, strides, bytes.first(storage_bytes).subspan(first * element.bytes)};
    if (!is_viewable(tensor)) {
      const uint64_t copy = elements * size_of(*element.dtype);
      if (copy > copy_bytes_left_) {
        return over_limit("tensor {}: its shape [{}] and those before repeat the file's elements too often", name,
                          fmt::join(dims, ", "));
      }
      copy_bytes_left_ -= copy;
    }
    tensors_.push_back({name, std::move(tensor)});
    return {};
  }

  const Pickle& pickle_;
  const TorchStorages& storages_;
  std::vector<NamedTorchTensor> tensors_;
  size_t visits_left_, name_bytes_left_;
  uint64_t copy_bytes_left_;
};

// Copies the elements in row-major order.
template <typename From, typename To>
void gather(const TorchTensor& tensor, void* to) {
  const Shape& shape = tensor.shape;
  const int rank = shape.rank();
  std::array<int64_t, Shape::kMaxRank> index{};
  To* out = static_cast<To*>(to);
  const int64_t row = rank == 0 ? 1 : shape[-1], step = rank == 0 ? 0 : tensor.strides.back();
  int64_t at = 0;
  for (int64_t done = 0, elements = shape.elements(); done < elements; done += row) {
    for (int64_t i = 0; i < row; ++i) {
      From value;
      std::memcpy(&value, tensor.bytes.data() + static_cast<size_t>(at + i * step) * sizeof(From), sizeof(From));
      *out++ = static_cast<To>(value);
    }
    for (int d = rank - 2; d >= 0; --d) {
      const auto axis = static_cast<size_t>(d);
      at += tensor.strides[axis];
      if (++index[axis] < shape[d]) break;
      at -= tensor.strides[axis] * shape[d];
      index[axis] = 0;
    }
  }
}

}  // namespace

Result<std::vector<NamedTorchTensor>> collect_tensors(const Pickle& pickle, const TorchStorages& storages,
                                                      TorchNames names) {
  return Collector(pickle, storages).run(names);
}

Tensor to_tensor(const TorchTensor& tensor, std::shared_ptr<const void> owner) {
  const DType dtype = *tensor.element->dtype;
  if (is_viewable(tensor)) return Tensor::borrow(tensor.bytes.data(), tensor.shape, dtype, std::move(owner));
  Tensor copy = Tensor::empty(tensor.shape, dtype);
  const bool is_double = tensor.element->name == "float64", is_short = tensor.element->name == "int16";
  if (is_double) {
    gather<double, float>(tensor, copy.raw());
  } else if (is_short) {
    gather<int16_t, int32_t>(tensor, copy.raw());
  } else if (tensor.element->bytes == 1) {
    gather<uint8_t, uint8_t>(tensor, copy.raw());
  } else if (tensor.element->bytes == 2) {
    gather<uint16_t, uint16_t>(tensor, copy.raw());
  } else if (tensor.element->bytes == 4) {
    gather<uint32_t, uint32_t>(tensor, copy.raw());
  } else {
    gather<uint64_t, uint64_t>(tensor, copy.raw());
  }
  return copy;
}

}  // namespace sensorium::io
