#include "models/adapter/lora.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "models/decoder/published.h"

namespace sensorium::models {
namespace {
namespace fs = std::filesystem;

// PEFT draws uniformly from +-1/sqrt(in), which has a third of the variance of Init::lecun.
const float kStart = 1.0f / std::sqrt(3.0f);

std::string target_of(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// The canonical name of a decoder's matrix.
std::string canonical(const std::string& name) { return "model." + name + ".weight"; }

}  // namespace

float LoraConfig::scale() const {
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (stabilized ? std::sqrt(r) : r));
}

Lora::Lora(nn::ParameterStore& store, Decoder& decoder, const LoraConfig& config)
    : config_(config), dropout_(std::make_shared<nn::SharedDropout>()) {
  const std::vector<std::string> known = projection_names();
  if (config_.targets.empty()) config_.targets = known;
  for (const std::string& target : config_.targets) {
    require(std::ranges::find(known, target) != known.end(), ErrorKind::usage,
            "lora.targets: \"{}\" is no projection of the decoder ({})", target, fmt::join(known, ", "));
  }
  dropout_->probability = static_cast<float>(config_.dropout);
  for_each_projection(decoder, [&](const std::string& name, nn::Linear& linear, int64_t first, int64_t rows) {
    if (std::ranges::find(config_.targets, target_of(name)) == config_.targets.end()) return;
    Change change{name, store.add("lora." + name + ".a", {config_.rank, linear.inputs()}, nn::Init::lecun, kStart),
                  store.add("lora." + name + ".b", {rows, config_.rank}, nn::Init::zeros)};
    linear.changes.push_back({.a_RK = change.a_RK,
                              .b_MR = change.b_MR,
                              .first = first,
                              .scale = config_.scale(),
                              .dropout = dropout_,
                              .stream = static_cast<uint64_t>(changes_.size())});
    changes_.push_back(std::move(change));
  });
}

void Lora::start_from(const Adapter& adapter) const {
  require(adapter.low_rank().size() == changes_.size(), ErrorKind::invalid_data,
          "{}: changes {} matrices, lora.targets are {}", adapter.where(), adapter.low_rank().size(), changes_.size());
  for (const Change& change : changes_) {
    const auto found = adapter.low_rank().find(canonical(change.name));
    require(found != adapter.low_rank().end(), ErrorKind::invalid_data, "{}: does not change {}", adapter.where(),
            change.name);
    const Tensor &a = found->second.a_RK, &b = found->second.b_NR;
    require(a.shape() == change.a_RK.shape() && b.shape() == change.b_MR.shape(), ErrorKind::invalid_data,
            "{}: changes {} by {} x {}, the recipe by {} x {}", adapter.where(), change.name, b.shape(), a.shape(),
            change.b_MR.shape(), change.a_RK.shape());
    Tensor(change.a_RK).copy_from(a);
    Tensor(change.b_MR).copy_from(b);
  }
}

void Lora::save(const fs::path& folder, const Place& place) const {
  std::vector<io::NamedTensor> tensors;
  for (const Change& change : changes_) {
    const std::string module = "base_model.model." + place.prefix + change.name;
    tensors.push_back({module + ".lora_A.weight", change.a_RK.detach()});
    tensors.push_back({module + ".lora_B.weight", change.b_MR.detach()});
  }
  for (const io::NamedTensor& whole : place.whole) tensors.push_back({"base_model.model." + whole.name, whole.tensor});
  std::string prefix;
  for (const char c : place.prefix) prefix += c == '.' ? std::string("\\.") : std::string(1, c);
  // A pattern, since towers have projections of the same names.
  const std::string targets = fmt::format("{}layers\\..*\\.({})", prefix, fmt::join(config_.targets, "|"));
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", place.base},
                       {"r", config_.rank},
                       {"lora_alpha", config_.alpha},
                       {"lora_dropout", config_.dropout},
                       {"use_rslora", config_.stabilized},
                       {"target_modules", targets},
                       {"modules_to_save", place.whole_modules.empty() ? Json(nullptr) : Json(place.whole_modules)},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"init_lora_weights", true},
                       {"inference_mode", true}};
  io::write_safetensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  write_file_atomic(folder / "adapter_config.json", config.dump(2) + "\n");
}

void attach_adapter(Decoder& decoder, const Adapter& adapter) {
  std::set<std::string> missing;
  for (const auto& [name, change] : adapter.low_rank()) missing.insert(name);
  for_each_projection(decoder, [&](const std::string& name, nn::Linear& linear, int64_t first, int64_t rows) {
    const auto found = adapter.low_rank().find(canonical(name));
    if (found == adapter.low_rank().end()) return;
    const Adapter::LowRank& change = found->second;
    const Shape expected{rows, linear.inputs()}, given{change.b_NR.dim(0), change.a_RK.dim(1)};
    require(given == expected, ErrorKind::invalid_data,
            "{}: is for another base: it changes {} {}, which has the shape {} here", adapter.where(), name, given,
            expected);
    linear.changes.push_back({.a_RK = change.a_RK, .b_MR = change.b_NR, .first = first, .scale = change.scale});
    missing.erase(found->first);
  });
  require(missing.empty(), ErrorKind::invalid_data,
          "{}: is for another base: it changes {}, which this model lacks or has packed", adapter.where(),
          missing.empty() ? "" : *missing.begin());
}

}  // namespace sensorium::models
