#include "models/checkpoint/trained.h"

#include <map>
#include <set>

namespace sensorium::models {
namespace {

class TrainedCheckpoint : public Checkpoint {
 public:
  TrainedCheckpoint(const Checkpoint& base, const CheckpointWeights& names, const nn::ParameterStore& store)
      : Checkpoint(base.layout(), base.path(), base.options()), base_(base), names_(names), store_(store) {
    set_config(base.config(), base.where());
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return base_.tokenizer(); }
  std::optional<text::ChatTemplate> chat_template() const override { return base_.chat_template(); }
  modality::LocatedJson image_processor() const override { return base_.image_processor(); }
  std::optional<modality::LocatedJson> generation_config() const override { return base_.generation_config(); }

  TensorFiles weights() const override {
    const TensorFiles files = base_.weights();
    std::map<std::string, TensorFiles::Entry> changed;
    std::set<std::string> dropped;
    for (const nn::Parameter& parameter : store_.parameters()) {
      const Tensor value = parameter.value.detach();
      if (!parameter.value.requires_grad()) continue;
      if (const std::string packed = names_.packed_name_of(parameter.name); !packed.empty()) {
        dropped.insert(packed);
        changed[parameter.name] = entry_of(value, DType::bf16);
        continue;
      }
      int64_t row = 0;
      for (const std::string& name : names_.names_of(parameter.name)) {
        const TensorFiles::Entry& old = files.find(name);
        // Files may have ones before a vector's or a table's dimensions.
        const bool whole = old.shape.elements() == value.elements();
        const int64_t end = whole ? 0 : row + old.shape[0];
        changed[name] = entry_of(whole ? value.reshape(old.shape) : value.slice(row, end), old.dtype);
        row = end;
      }
    }
    TensorFiles result;
    for (const auto& [name, entry] : files.entries()) {
      if (!changed.contains(name) && !dropped.contains(name)) result.add(name, entry);
    }
    for (const auto& [name, entry] : changed) result.add(name, entry);
    return result;
  }

 private:
  static TensorFiles::Entry entry_of(const Tensor& value, DType dtype) {
    return {.shape = value.shape(), .dtype = dtype, .mapped = false, .file_name = "", .read = [value, dtype] {
              return value.to(dtype);
            }};
  }

  const Checkpoint& base_;
  const CheckpointWeights& names_;
  const nn::ParameterStore& store_;
};

}  // namespace

std::unique_ptr<Checkpoint> with_trained(const Checkpoint& base, const CheckpointWeights& names,
                                         const nn::ParameterStore& store) {
  return std::make_unique<TrainedCheckpoint>(base, names, store);
}

}  // namespace sensorium::models
