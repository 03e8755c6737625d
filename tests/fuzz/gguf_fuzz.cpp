// A GGUF file of any bytes gives an error, or metadata and tensors whose every byte can be read.
// Seeds: tests/golden/io/checkpoints
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "io/gguf.h"

namespace {
volatile uint8_t sink = 0;

void touch(const sensorium::Tensor& tensor) {
  const auto* begin = static_cast<const uint8_t*>(tensor.raw());
  for (size_t i = 0; i < tensor.bytes(); ++i) sink = static_cast<uint8_t>(sink ^ begin[i]);
}

template <typename T>
void read_as(const sensorium::io::GgufValue& value) {
  try {
    (void)value.as<T>();
  } catch (const sensorium::Error&) {
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = io::GgufFile::parse(bytes, nullptr);
  if (!parsed) return 0;
  const io::GgufFile& file = parsed.value();
  for (const std::string& key : file.keys()) {
    const io::GgufValue& value = file.value(key);
    (void)value.str();
    read_as<int64_t>(value);
    read_as<double>(value);
    read_as<std::string>(value);
    read_as<std::vector<bool>>(value);
    read_as<std::vector<uint64_t>>(value);
    read_as<std::vector<std::string>>(value);
    read_as<std::vector<io::GgufValue>>(value);
  }
  for (const std::string& name : file.names()) {
    const io::GgufTensor& tensor = file.blocks(name);
    if (!tensor.blocks.empty() && (tensor.blocks.data() < bytes.data() ||
                                   tensor.blocks.data() + tensor.blocks.size() > bytes.data() + bytes.size())) {
      std::abort();
    }
    touch(file.tensor(name));
  }
  return 0;
}
