// The pickles of PyTorch checkpoints, read without executing anything: a machine that knows only the opcodes that
// torch.save writes for containers of tensors, and the names of torch_globals.h. Any other name is an error.
// Source: Python's Lib/pickletools.py (opcodes of protocols 2 to 5), torch/serialization.py (persistent ids).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/torch_globals.h"

namespace sensorium::io {

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  real,     // its value is not kept
  text,     // bytes of any encoding
  opaque,   // bytes, and integers past 64 bits; the value is not kept
  tuple,    // items
  list,     // items
  dict,     // items: key, value, key, value, ... in the order in which they were set
  global,   // a name of torch_globals.h
  storage,  // text: its key in the archive; integer: its number of elements; global: its type
  tensor,   // items: storage, size (tuple), stride (tuple); integer: the first element; global: its type
};
std::string_view name_of(PickleKind kind);

// Values refer to each other by their place in Pickle::values, so that cycles and shared parts cost nothing to keep.
using PickleRef = uint32_t;
struct PickleValue {
  PickleKind kind = PickleKind::none;
  int64_t integer = 0;
  std::string_view text;  // a view of the pickle's bytes
  const TorchGlobalInfo* global = nullptr;
  std::vector<PickleRef> items;
};
struct Pickle {
  std::vector<PickleValue> values;
  PickleRef root = 0;
  const PickleValue& at(PickleRef ref) const { return values[ref]; }
};

// At most 64 MiB, 4 million values and 16 million references between them. Memory is proportional to the bytes. Sizes,
// strides and offsets are integers, but not yet compared with the storages. Errors: invalid_data, limit, unsupported
// (an opcode or a name outside the lists, naming it).
Result<Pickle> unpickle(std::span<const std::byte> bytes);

}  // namespace sensorium::io
