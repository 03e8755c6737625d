// Pickles put together opcode by opcode, for tests. Names of opcodes as in Python's pickletools.
#pragma once

#include <string>
#include <vector>

#include "io/checkpoint_files.h"

namespace sensorium::io::pickled {

inline std::string text(const std::string& value) { return "X" + raw(static_cast<uint32_t>(value.size())) + value; }
inline std::string integer(int64_t value) { return std::string("\x8A\x08") + raw(value); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
inline std::string integers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}
// {key: value, ...}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}
inline std::string storage(int64_t elements, const std::string& type = "FloatStorage", const std::string& key = "0") {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
}
// An OrderedDict.
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& dims,
                          const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, integer(offset), integers(dims), integers(strides), "\x89", ordered_dict()}) + "R";
}
inline std::string whole(const std::string& body) { return "\x80\x02" + body + "."; }

}  // namespace sensorium::io::pickled
