#include "models/gguf/written_tensors.h"

#include <algorithm>
#include <array>

namespace sensorium::models {
namespace {

using io::GgufType;

GgufType type_of(DType dtype) {
  for (const io::GgufTypeInfo& info : io::gguf_types()) {
    if (info.dtype == dtype) return info.type;
  }
  return GgufType::f32;
}

// Where the rows are no whole number of blocks.
struct Fallback {
  GgufType type, instead;
};
constexpr std::array<Fallback, 3> kFallbacks = {
    {{GgufType::q4_k, GgufType::q5_0}, {GgufType::q5_k, GgufType::q5_1}, {GgufType::q6_k, GgufType::q8_0}}};

GgufType fitting(GgufType type, int64_t row) {
  while (row % io::info_of(type).block_elements != 0) {
    const auto found = std::ranges::find(kFallbacks, type, &Fallback::type);
    type = found == kFallbacks.end() ? GgufType::f16 : found->instead;
  }
  return type;
}

bool is_plain(GgufType type) { return io::info_of(type).dtype.has_value(); }

}  // namespace

GgufType WrittenTensors::type_for(const std::string& name, const io::LazyTensor& tensor) const {
  if (tensor.shape.rank() < 2 || name.find("position_embd") != std::string::npos) return GgufType::f32;
  GgufType type = type_.value_or(type_of(tensor.dtype));
  if (tensor.shape.rank() > 2) return type == GgufType::f32 || type == GgufType::bf16 ? GgufType::f32 : GgufType::f16;
  if (smallest_ == Smallest::q8_0 && !is_plain(type)) type = GgufType::q8_0;
  return fitting(type, tensor.shape[-1]);
}

void WrittenTensors::add(const std::string& name, io::LazyTensor tensor) {
  require(is_float(tensor.dtype), ErrorKind::unsupported, "tensor {} is {}, expected f32, bf16 or f16", name,
          name_of(tensor.dtype));
  const GgufType type = type_for(name, tensor);
  outputs_.push_back({name, type, std::move(tensor)});
}

void WrittenTensors::require_all(const std::vector<std::string>& names, const std::string& where) const {
  for (const std::string& name : names) {
    require(std::ranges::find(outputs_, name, &io::GgufOutput::name) != outputs_.end(), ErrorKind::invalid_data,
            "{}: the tensor that GGUF calls {} is missing", where, name);
  }
}

}  // namespace sensorium::models
