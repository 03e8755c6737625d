// Adapters that the library PEFT saves (adapter_config.json, adapter_model.safetensors): low-rank changes of matrices (LoRA, Hu
// 2021), and tensors that were trained whole beside them ("modules_to_save").
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/tensor_files.h"

namespace sensorium::models {

class Adapter {
 public:
  // Throws Error that names the file: not_found, invalid_data (a matrix without its partner, ranks that differ), unsupported
  // (another method than LoRA, DoRA, biases, embeddings, patterns of ranks).
  static Adapter read(const std::filesystem::path& folder);

  // The tensors of a checkpoint with the changes in them: W + scale B A, computed in f32 when a tensor is read, in W's dtype.
  // Names of modules may be those of any version of transformers. Throws Error(invalid_data) for an adapter of another base: a
  // module that `base` lacks or that has another shape, naming it.
  TensorFiles apply(const TensorFiles& base) const;

  struct LowRank {
    Tensor a_RK, b_NR;
    float scale = 1;
  };
  // By canonical_name() of the matrix or tensor.
  const std::map<std::string, LowRank>& low_rank() const { return low_rank_; }
  const std::map<std::string, Tensor>& whole() const { return whole_; }
  const std::string& where() const { return where_; }  // the file, for messages

 private:
  std::string where_;
  std::map<std::string, LowRank> low_rank_;
  std::map<std::string, Tensor> whole_;
};

// The checkpoint whose weights() have the adapter's changes in them; of a quantised base they stay beside() them.
std::unique_ptr<Checkpoint> with_adapter(std::unique_ptr<Checkpoint> base, const std::filesystem::path& folder);

}  // namespace sensorium::models
