// The weights of a published checkpoint under the names of this program's parameters: a family says how the names of its
// modules translate, matrices that the program keeps as one (queries, keys and values; gate and up) are joined. Quantised
// checkpoints (models/quantize.h) have the program's own names, with nothing to join.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "io/checkpoint_folder.h"
#include "nn/parameter_store.h"

namespace sensorium::models {

// Our module or tensor, and the files' modules whose rows make it, one behind the other. A `*` stands for the number of a
// layer; what follows the module's name (".weight", ".bias") is the same on both sides.
//     {"layers.*.attention.qkv", {"layers.*.self_attn.q_proj", "layers.*.self_attn.k_proj", "layers.*.self_attn.v_proj"}}
struct NameRule {
  std::string ours;
  std::vector<std::string> theirs;
};

class CheckpointWeights {
 public:
  // Opens and checks the folder's files. Throws Error as io::CheckpointFolder.
  explicit CheckpointWeights(const std::filesystem::path& directory);

  // Parameters whose names begin with `our_prefix` are looked for under `their_prefixes`, in this order: layouts of the
  // same model differ in them.
  void map(std::string our_prefix, std::vector<std::string> their_prefixes, std::vector<NameRule> rules);
  // Tensors that a file may hold though the model does not read them; `*` matches any run of characters.
  void ignore(std::string pattern) { ignored_.push_back(std::move(pattern)); }

  // The tensor of a parameter. A single tensor is a view on the mapped file, joined ones are copies; vectors become f32 (what
  // kernels read), matrices keep their dtype (f32, bf16 or f16). Throws Error that names the file's tensor: invalid_data
  // (missing, another shape than `shape`), unsupported (not float).
  Tensor read(const std::string& name, const Shape& shape);
  // The packed matrix of a parameter, a view on the mapped file; undefined if it is not packed. Throws Error(invalid_data).
  ops::PackedWeight read_packed(const std::string& name, const Shape& shape);
  // Both for a model under construction; must not outlive this object.
  nn::ParameterStore::Source source();
  // Throws Error(invalid_data) that names a tensor of the files that nobody has read and nobody ignores.
  void require_all_read() const;

 private:
  struct Section {
    std::string our_prefix;
    std::vector<std::string> their_prefixes;
    std::vector<NameRule> rules;
  };
  // The names in the files: the first alternative that is complete, else the first.
  std::vector<std::string> locate(const std::string& name) const;

  std::string where_;
  io::CheckpointFolder files_;
  std::vector<Section> sections_;
  std::vector<std::string> ignored_;
  std::set<std::string> read_;
};

}  // namespace sensorium::models
