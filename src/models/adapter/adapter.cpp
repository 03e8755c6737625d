#include "models/adapter/adapter.h"

#include <cmath>
#include <optional>
#include <utility>

#include "base/json.h"
#include "io/safetensors.h"
#include "models/checkpoint/canonical_name.h"
#include "ops/ops.h"

namespace sensorium::models {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "base_model.model.", kA = ".lora_A.weight", kB = ".lora_B.weight";

struct AdapterConfig {
  double alpha = 1;
  bool stabilized = false;  // the scale falls with the root of the rank (rsLoRA)

  float scale(int64_t rank) const {
    const auto r = static_cast<double>(rank);
    return static_cast<float>(alpha / (stabilized ? std::sqrt(r) : r));
  }
};

bool is_on(const Json& config, const char* key) {
  if (!config.contains(key)) return false;
  const Json& value = config.at(key);
  return !(value.is_null() || value == false || (value.is_structured() && value.empty()));
}

AdapterConfig read_config(const fs::path& path) {
  const std::string where = path.string();
  const Json config = without_nulls(read_json_file(path));
  require(config.is_object(), ErrorKind::invalid_data, "{}: it is {}, expected an object", where, config.type_name());
  ConfigReader reader(config, where);
  const auto type = reader.get<std::string>("peft_type");
  require(type == "LORA", ErrorKind::unsupported, "{}: an adapter of type {}, supported is LORA", where, type);
  for (const char* key :
       {"use_dora", "fan_in_fan_out", "lora_bias", "rank_pattern", "alpha_pattern", "trainable_token_indices",
        "layer_replication", "target_parameters", "use_qalora", "use_bdlora", "alora_invocation_tokens"}) {
    require(!is_on(config, key), ErrorKind::unsupported, "{}: \"{}\" is not supported", where, key);
  }
  const auto bias = reader.get_or<std::string>("bias", "none");
  require(bias == "none", ErrorKind::unsupported, "{}: \"bias\" is \"{}\", supported is \"none\"", where, bias);
  AdapterConfig result{.alpha = reader.get<double>("lora_alpha"),
                       .stabilized = reader.get_or<bool>("use_rslora", false)};
  require(std::isfinite(result.alpha), ErrorKind::invalid_data, "{}: \"lora_alpha\" is {}", where, result.alpha);
  return result;
}

// W + scale B A, in W's dtype.
Tensor add_low_rank(const Tensor& w_NK, const Tensor& a_RK, const Tensor& b_NR, float scale) {
  const NoGrad no_grad;
  const int64_t rank = a_RK.dim(0), columns = a_RK.dim(1);
  const Tensor a = a_RK.to(DType::f32), at_KR = Tensor::empty({columns, rank});
  for (int64_t r = 0; r < rank; ++r) {
    for (int64_t k = 0; k < columns; ++k) {
      at_KR.data<float>()[k * rank + r] = scale * a.data<float>()[r * columns + k];
    }
  }
  const Tensor change_NK = ops::linear(b_NR.to(DType::f32), at_KR, {});
  return ops::add(w_NK.to(DType::f32), change_NK).to(w_NK.dtype());
}

class AdaptedCheckpoint : public Checkpoint {
 public:
  AdaptedCheckpoint(std::unique_ptr<Checkpoint> base, Adapter adapter)
      : Checkpoint(base->layout(), base->path(), base->options()),
        base_(std::move(base)),
        adapter_(std::move(adapter)) {
    set_config(base_->config(), base_->where());
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return base_->tokenizer(); }
  std::optional<text::ChatTemplate> chat_template() const override { return base_->chat_template(); }
  modality::LocatedJson image_processor() const override { return base_->image_processor(); }
  TensorFiles weights() const override { return packed() ? base_->weights() : adapter_.apply(base_->weights()); }
  const Adapter* beside() const override { return packed() ? &adapter_ : nullptr; }
  std::optional<modality::LocatedJson> generation_config() const override { return base_->generation_config(); }

 private:
  bool packed() const { return config().contains("quantization"); }

  std::unique_ptr<Checkpoint> base_;
  Adapter adapter_;
};

}  // namespace

Adapter Adapter::read(const fs::path& folder) {
  const AdapterConfig config = read_config(folder / "adapter_config.json");
  const fs::path path = folder / "adapter_model.safetensors";
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  Adapter adapter;
  adapter.where_ = path.string();
  for (const std::string& name : file.names()) {
    require(name.starts_with(kPrefix), ErrorKind::invalid_data, "{}: tensor {} does not begin with {}", adapter.where_,
            name, kPrefix);
    require(name.find(".lora_embedding_") == std::string::npos && name.find("lora_magnitude") == std::string::npos,
            ErrorKind::unsupported, "{}: tensor {}: only matrices of linear layers are adapted", adapter.where_, name);
    const Tensor tensor = file.tensor(name);
    require(is_float(tensor.dtype()), ErrorKind::invalid_data, "{}: tensor {} is {}", adapter.where_, name,
            name_of(tensor.dtype()));
    const std::string inner = name.substr(kPrefix.size());
    if (!inner.ends_with(kA) && !inner.ends_with(kB)) {
      adapter.whole_[canonical_name(inner)] = tensor;
      continue;
    }
    const std::string matrix = canonical_name(inner.substr(0, inner.size() - kA.size()) + ".weight");
    (inner.ends_with(kA) ? adapter.low_rank_[matrix].a_RK : adapter.low_rank_[matrix].b_NR) = tensor;
  }
  for (auto& [matrix, change] : adapter.low_rank_) {
    const bool whole = change.a_RK.defined() && change.b_NR.defined() && change.a_RK.rank() == 2 &&
                       change.b_NR.rank() == 2 && change.a_RK.dim(0) == change.b_NR.dim(1) && change.a_RK.dim(0) > 0;
    require(whole, ErrorKind::invalid_data, "{}: {} needs lora_A [rank, in] and lora_B [out, rank]", adapter.where_,
            matrix);
    change.scale = config.scale(change.a_RK.dim(0));
  }
  require(!adapter.low_rank_.empty() || !adapter.whole_.empty(), ErrorKind::invalid_data, "{}: holds no tensors",
          adapter.where_);
  return adapter;
}

TensorFiles Adapter::apply(const TensorFiles& base) const {
  std::map<std::string, std::string> names;  // canonical -> in the files
  for (const auto& [name, entry] : base.entries()) names[canonical_name(name)] = name;
  std::map<std::string, TensorFiles::Entry> changed;
  const auto find = [&](const std::string& name, const Shape& shape) -> const TensorFiles::Entry& {
    const auto found = names.find(name);
    require(found != names.end(), ErrorKind::invalid_data,
            "{}: is for another base: it changes {}, which this model lacks", where_, name);
    const TensorFiles::Entry& entry = base.find(found->second);
    require(is_float(entry.dtype), ErrorKind::unsupported, "{}: {} is {} in this model; an adapter is added to floats",
            where_, name, name_of(entry.dtype));
    require(entry.shape == shape, ErrorKind::invalid_data,
            "{}: is for another base: it changes {} {}, which has the shape {} here", where_, name, shape, entry.shape);
    return entry;
  };
  for (const auto& [name, change] : low_rank_) {
    TensorFiles::Entry entry = find(name, {change.b_NR.dim(0), change.a_RK.dim(1)});
    entry.mapped = false;
    entry.blocks = nullptr;
    entry.read = [read = entry.read, change = change] {
      return add_low_rank(read(), change.a_RK, change.b_NR, change.scale);
    };
    changed[names.at(name)] = std::move(entry);
  }
  for (const auto& [name, tensor] : whole_) {
    TensorFiles::Entry entry = find(name, tensor.shape());
    entry.mapped = false;
    entry.blocks = nullptr;
    entry.read = [tensor = tensor, dtype = entry.dtype] { return tensor.to(dtype); };
    changed[names.at(name)] = std::move(entry);
  }
  TensorFiles result;
  for (const auto& [name, entry] : base.entries()) {
    const auto found = changed.find(name);
    result.add(name, found == changed.end() ? entry : found->second);
  }
  result.set_spelling([base](const std::string& name) { return base.spelled(name); });
  return result;
}

std::unique_ptr<Checkpoint> with_adapter(std::unique_ptr<Checkpoint> base, const fs::path& folder) {
  return std::make_unique<AdaptedCheckpoint>(std::move(base), Adapter::read(folder));
}

}  // namespace sensorium::models
