// A safetensors file of any bytes gives an error, or tensors whose every byte can be read.
// Seeds: tests/golden/io
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "io/npy.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  volatile uint8_t sink = 0;
  const auto touch = [&](const Tensor& tensor) {
    const auto* begin = static_cast<const uint8_t*>(tensor.raw());
    for (size_t i = 0; i < tensor.bytes(); ++i) sink = static_cast<uint8_t>(sink ^ begin[i]);
  };
  if (const auto file = io::SafetensorsFile::parse(bytes, nullptr)) {
    for (const std::string& name : file.value().names()) touch(file.value().tensor(name));
  }
  if (const auto tensor = io::parse_npy(bytes)) touch(tensor.value());
  return 0;
}
