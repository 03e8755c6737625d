#include "io/torch_globals.h"

#include <algorithm>
#include <array>

namespace sensorium::io {
namespace {

constexpr TorchElement kFloat64{"float64", 8, DType::f32}, kFloat32{"float32", 4, DType::f32},
    kFloat16{"float16", 2, DType::f16}, kBFloat16{"bfloat16", 2, DType::bf16}, kInt64{"int64", 8, DType::i64},
    kInt32{"int32", 4, DType::i32}, kInt16{"int16", 2, DType::i32}, kInt8{"int8", 1, DType::i8},
    kUInt8{"uint8", 1, DType::u8}, kBool{"bool", 1, DType::u8};
// Known, so that the error names the tensor, but not supported.
constexpr TorchElement kUInt16{"uint16", 2, {}}, kUInt32{"uint32", 4, {}}, kUInt64{"uint64", 8, {}},
    kComplex64{"complex64", 8, {}}, kComplex128{"complex128", 16, {}}, kFloat8E4M3{"float8_e4m3fn", 1, {}},
    kFloat8E5M2{"float8_e5m2", 1, {}}, kUnknown{"(typed storage)", 1, {}};

using enum TorchGlobal;
constexpr std::array<TorchGlobalInfo, 40> kGlobals = {{
    {"collections", "OrderedDict", ordered_dict, nullptr},
    {"torch", "Size", size, nullptr},
    {"torch._utils", "_rebuild_tensor_v2", rebuild_tensor, nullptr},
    {"torch._utils", "_rebuild_tensor_v3", rebuild_tensor_v3, nullptr},
    {"torch._utils", "_rebuild_parameter", rebuild_parameter, nullptr},
    {"torch", "DoubleStorage", storage_type, &kFloat64},
    {"torch", "FloatStorage", storage_type, &kFloat32},
    {"torch", "HalfStorage", storage_type, &kFloat16},
    {"torch", "BFloat16Storage", storage_type, &kBFloat16},
    {"torch", "LongStorage", storage_type, &kInt64},
    {"torch", "IntStorage", storage_type, &kInt32},
    {"torch", "ShortStorage", storage_type, &kInt16},
    {"torch", "CharStorage", storage_type, &kInt8},
    {"torch", "ByteStorage", storage_type, &kUInt8},
    {"torch", "BoolStorage", storage_type, &kBool},
    {"torch", "ComplexFloatStorage", storage_type, &kComplex64},
    {"torch", "ComplexDoubleStorage", storage_type, &kComplex128},
    // Bytes: torch.load makes uint8 tensors of them unless the tensor says its dtype.
    {"torch.storage", "UntypedStorage", storage_type, &kUInt8},
    {"torch", "UntypedStorage", storage_type, &kUInt8},
    {"torch.storage", "TypedStorage", storage_type, &kUnknown},
    {"torch.storage", "_TypedStorage", storage_type, &kUnknown},
    {"torch", "float64", dtype, &kFloat64},
    {"torch", "double", dtype, &kFloat64},
    {"torch", "float32", dtype, &kFloat32},
    {"torch", "float", dtype, &kFloat32},
    {"torch", "float16", dtype, &kFloat16},
    {"torch", "half", dtype, &kFloat16},
    {"torch", "bfloat16", dtype, &kBFloat16},
    {"torch", "int64", dtype, &kInt64},
    {"torch", "int32", dtype, &kInt32},
    {"torch", "int16", dtype, &kInt16},
    {"torch", "int8", dtype, &kInt8},
    {"torch", "uint8", dtype, &kUInt8},
    {"torch", "bool", dtype, &kBool},
    {"torch", "uint16", dtype, &kUInt16},
    {"torch", "uint32", dtype, &kUInt32},
    {"torch", "uint64", dtype, &kUInt64},
    {"torch", "complex64", dtype, &kComplex64},
    {"torch", "float8_e4m3fn", dtype, &kFloat8E4M3},
    {"torch", "float8_e5m2", dtype, &kFloat8E5M2},
}};

}  // namespace

const TorchGlobalInfo* find_torch_global(std::string_view module, std::string_view name) {
  const auto found = std::ranges::find_if(
      kGlobals, [&](const TorchGlobalInfo& info) { return info.module == module && info.name == name; });
  return found == kGlobals.end() ? nullptr : &*found;
}

}  // namespace sensorium::io
