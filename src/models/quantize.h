// Folders with quantised weights: the same model in the kernels' own layout, so that it loads by mapping one file, without a
// copy. docs/quantisation.md describes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace sensorium::models {

struct QuantizeOptions {
  // Names of kernels::parse_packed_type. What a decoder multiplies; the matrix of its logits is kept in 8 bits at least. Empty: q4.
  std::string type;
  // Everything else that multiplies: vision and text towers, projectors, task heads. Empty: q8, or bf16 beside a decoder in bf16.
  // A model without a decoder is all towers: they are `type` then, or, if both are empty, q8/640.
  std::string towers;
  // After each tensor that was written; may be empty.
  std::function<void(int64_t done, int64_t all)> progress;
};

struct QuantizeReport {
  int64_t tensors = 0, packed = 0;     // written; of them packed
  int64_t parameters = 0;              // numbers in all tensors
  uint64_t bytes = 0;                  // of the file of weights
  double bits_per_parameter() const {  // over everything
    return parameters == 0 ? 0 : static_cast<double>(bytes) * 8 / static_cast<double>(parameters);
  }
};

// Reads the model of the folder `from` and writes the folder `to`: config.json with the key "quantization", the other files that
// describe the model, and model.safetensors with the program's own names. Matrices that only products read are packed; vectors
// become f32, other tensors bf16. One tensor is in memory at a time, and `to` appears under its name when it is complete.
// Throws Error: not_found, usage (`to` exists, an unknown type, a model that is quantised already), and as load_model.
QuantizeReport quantize_model(const std::filesystem::path& from, const std::filesystem::path& to,
                              const QuantizeOptions& options);

}  // namespace sensorium::models
