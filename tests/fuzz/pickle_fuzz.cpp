// Any bytes, as a PyTorch archive and as the pickle inside one, give an error, or tensors whose every byte can be read.
// Seeds: tests/golden/io/checkpoints
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/torch_file.h"

namespace {
volatile uint8_t sink = 0;

void touch(const sensorium::Tensor& tensor) {
  const auto* begin = static_cast<const uint8_t*>(tensor.raw());
  for (size_t i = 0; i < tensor.bytes(); ++i) sink = static_cast<uint8_t>(sink ^ begin[i]);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto file = io::TorchFile::parse(bytes, nullptr)) {
    for (const std::string& name : file.value().names()) touch(file.value().tensor(name));
  }
  const auto pickle = io::unpickle(bytes);
  if (!pickle) return 0;
  static const std::byte kStorage[64] = {};
  const io::TorchStorages storages = {{"0", kStorage}, {"1", std::span(kStorage).first(8)}};
  for (const io::TorchNames names : {io::TorchNames::unwrapped, io::TorchNames::full}) {
    const auto tensors = io::collect_tensors(pickle.value(), storages, names);
    if (!tensors) continue;
    for (const io::NamedTorchTensor& entry : tensors.value()) {
      // A copy may have up to 64 MiB: too slow here.
      if (entry.tensor.shape.elements() < 1 << 12) touch(io::to_tensor(entry.tensor, nullptr));
    }
  }
  return 0;
}
