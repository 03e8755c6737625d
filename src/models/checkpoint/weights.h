// The weights of a published checkpoint under the names of this program's parameters: a family says how the names of its
// modules translate, matrices that the program keeps as one (queries, keys and values; gate and up) are joined. Quantised
// checkpoints (models/quantize.h) have the program's own names, with nothing to join.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/repack.h"
#include "models/checkpoint/tensor_files.h"
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
  // Opens and checks the checkpoint's files. The checkpoint must outlive this object. Throws Error as Checkpoint::weights().
  explicit CheckpointWeights(const Checkpoint& checkpoint);

  // Parameters whose names begin with `our_prefix` are looked for under `their_prefixes`, in this order: layouts of the
  // same model differ in them.
  void map(std::string our_prefix, std::vector<std::string> their_prefixes, std::vector<NameRule> rules);
  // Tensors that a file may hold though the model does not read them; `*` matches any run of characters.
  void ignore(std::string pattern) { ignored_.push_back(std::move(pattern)); }

  // The files' tensors whose rows, one behind the other, make a parameter.
  std::vector<std::string> names_of(const std::string& parameter) const { return locate(parameter); }
  // What a file with published names would call them.
  std::vector<std::string> published_names_of(const std::string& parameter) const;
  // A parameter's packed tensor, "" where the files do not have it packed.
  std::string packed_name_of(const std::string& parameter) const;

  // The parameters of a model whose modules `build` adds. It is called twice: first with empty tensors that only have
  // shapes (which it must not read), so that everything that is wrong is known, and said in one message, before anything
  // is copied; then with the weights. A single tensor is a view on the mapped file, joined ones are copies; vectors become
  // f32 (what kernels read), matrices keep their dtype (f32, bf16 or f16); those in blocks of GGUF are packed (repack.h),
  // tables of which rows are looked up become bf16, unless they train. Ones that the shape of a file's tensor begins with
  // do not count. `cache_bytes`: what a conversation will take beside the weights. Throws Error that names the files' tensors:
  // invalid_data (missing, another shape, or not part of the model), unsupported (not float), limit (weights and cache need
  // more memory than there is).
  nn::ParameterStore load(const std::function<void(nn::ParameterStore& store)>& build, int64_t cache_bytes = 0);

 private:
  struct Section {
    std::string our_prefix;
    std::vector<std::string> their_prefixes;
    std::vector<NameRule> rules;
  };
  struct Faults {
    std::vector<std::string> missing, misshapen, unexpected;
  };
  struct Needs {
    int64_t copied = 0, mapped = 0, temporary = 0, training = 0;  // bytes
  };
  // The names in the files: the first alternative that is complete, else the first.
  std::vector<std::string> locate(const std::string& name) const;
  Tensor plan(const std::string& name, const Shape& shape);
  bool trains(const std::string& name) const;
  // The values of a parameter that trains although the file has it packed.
  Tensor unpacked(const std::string& name, const Shape& shape);
  // What an adapter beside packed weights has in place of a parameter; undefined if it has nothing.
  Tensor from_adapter(const std::string& name) const;
  // The packed matrix of a parameter, a view on the mapped file, or made of blocks; undefined if it is neither.
  ops::PackedWeight read_packed(const std::string& name, const Shape& shape);
  ops::PackedWeight plan_packed(const std::string& name, const Shape& shape);
  // The parts of a matrix that the files have in blocks and that is to be used as it is; empty for every other.
  MatrixParts blocks_of(const std::string& name, const Shape& shape) const;
  ops::PackedWeight packed_weight(const std::string& name, const Shape& shape);
  Tensor read(const std::string& name, const Shape& shape);
  void find_unexpected();
  void require_no_faults() const;
  void require_memory(int64_t cache_bytes) const;

  std::string path_, config_where_;
  int64_t listed_faults_, memory_limit_;
  std::vector<std::string> trained_;
  TensorFiles files_;
  const Adapter* adapter_;
  bool streams_ = false;  // a tap wants the values of every parameter
  std::vector<Section> sections_;
  std::vector<std::string> ignored_;
  std::set<std::string> planned_;
  Faults faults_;
  Needs needs_;
};

}  // namespace sensorium::models
