// Low-rank adaptation (LoRA, Hu 2021) of a decoder while it trains, and as PEFT saves it. The base may be packed (QLoRA, Dettmers
// 2023, with this program's own types).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "models/adapter/adapter.h"
#include "models/decoder/decoder.h"

namespace sensorium::models {

// The defaults are those that LLaVA was published with.
struct LoraConfig {
  int64_t rank = 128;
  double alpha = 256;
  double dropout = 0.05;
  bool stabilized = false;           // the scale is alpha / sqrt(rank) in place of alpha / rank (rsLoRA)
  std::vector<std::string> targets;  // names of projections: "q_proj", "down_proj"; empty: all

  float scale() const;
};

class Lora {
 public:
  // Adds two parameters for every target of the decoder's blocks to the store, which train: "lora.layers.0.self_attn.q_proj.a"
  // [rank, in], random with PEFT's variance, and ".b" [out, rank], zeros: at first nothing changes. Throws Error(usage) for
  // a target that is no projection, naming those there are.
  Lora(nn::ParameterStore& store, Decoder& decoder, const LoraConfig& config);

  // What is dropped from now on is another function of the position.
  void draw_dropout(uint64_t seed) const { dropout_->seed = seed; }
  // Starts from a saved adapter. Throws Error(invalid_data) that names a matrix that it lacks or that has another rank.
  void start_from(const Adapter& adapter) const;

  // Where the base's modules are for PEFT, and what the adapter changes beside the decoder.
  struct Place {
    std::string base;                        // path or name of the base model
    std::string prefix;                      // of the decoder's modules: "model.language_model."
    std::vector<std::string> whole_modules;  // that were trained whole: "multi_modal_projector"
    std::vector<io::NamedTensor> whole;      // their tensors by the names of their base
  };
  // Writes adapter_config.json and adapter_model.safetensors. Throws Error(io).
  void save(const std::filesystem::path& folder, const Place& place) const;

 private:
  struct Change {
    std::string name;  // "layers.0.self_attn.q_proj"
    Tensor a_RK, b_MR;
  };
  LoraConfig config_;
  std::shared_ptr<nn::SharedDropout> dropout_;
  std::vector<Change> changes_;
};

// Lets a decoder compute the low-rank changes of an adapter beside its matrices: to packed ones they cannot be added. Throws
// Error(invalid_data) for an adapter of another base: a module that the decoder lacks or that has another shape, naming it.
void attach_adapter(Decoder& decoder, const Adapter& adapter);

}  // namespace sensorium::models
