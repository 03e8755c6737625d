#include "models/imagebind/learner.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "models/checkpoint/trained.h"
#include "models/checkpoint/write.h"

namespace sensorium::models {
namespace {

constexpr std::array<PublishedBinding, 4> kPublished = {{
    {InputSense::audio, 0.05, 1.6e-3, 0.2, 0.1, 2048, 64, 2},
    {InputSense::depth, 0.2, 1.6e-3, 0.2, 0, 512, 64, 2},
    {InputSense::thermal, 0.1, 5e-4, 0.05, 0, 512, 64, 2},
    {InputSense::imu, 0.2, 5e-4, 0.5, 0.7, 512, 8, 2},
}};
constexpr std::array<std::string_view, 4> kTargets = {"qkv", "out", "fc1", "fc2"};
constexpr float kUnitEps = 1e-12f;
// PEFT draws uniformly from +-1/sqrt(in), which has a third of the variance of Init::lecun.
const float kLoraStart = 1.0f / std::sqrt(3.0f);

std::unique_ptr<Checkpoint> open_base(const std::filesystem::path& path, const BindOptions& options,
                                      const std::string& prefix) {
  LoadOptions load{.compute = options.compute};
  load.trained = options.trainable;
  load.trained.push_back(prefix + "scale");
  std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(path, load);
  const std::string type = checkpoint->config().at("model_type").get<std::string>();
  require(type == "imagebind", ErrorKind::unsupported,
          "{}: is a {} model; senses are bound to ImageBind's towers (\"bind\") or to the native model's joint space "
          "(\"joint\")",
          path.string(), type);
  return checkpoint;
}

}  // namespace

const PublishedBinding& published_binding(const std::string& sense) {
  for (const PublishedBinding& row : kPublished) {
    if (sense == name_of(row.sense)) return row;
  }
  fail(ErrorKind::usage, "bind.sense is \"{}\"; audio, depth, thermal and imu can be bound", sense);
}

ImagebindLearner::ImagebindLearner(const std::filesystem::path& path, const BindOptions& options)
    : options_(options),
      checkpoint_(open_base(path, options, fmt::format("{}.", name_of(options.sense)))),
      model_(std::make_unique<Imagebind>(*checkpoint_, options.compute)),
      names_(*checkpoint_),
      prefix_(fmt::format("{}.", name_of(options.sense))) {
  Imagebind::map_names(names_);
  require(store().packed().empty(), ErrorKind::unsupported,
          "{}: is quantised; start from the model that it was made of", path.string());
  modality::PatchTransformer& transformer = model_->transformer(options.sense);
  transformer.set_checkpointing(options.checkpointing);
  drop_path_->rate = options.drop_path;
  if (options.drop_path > 0) transformer.set_drop_path(drop_path_);
  for (const std::string& pattern : options.trainable) {
    int64_t matched = 0;
    for (nn::Parameter& parameter : store().parameters()) {
      if (!nn::matches_pattern(pattern, parameter.name)) continue;
      require(parameter.name.starts_with(prefix_), ErrorKind::usage,
              "\"trainable\": \"{}\" matches {}, which is frozen: only the tower {}* is bound", pattern, parameter.name,
              prefix_);
      if (parameter.name != prefix_ + "scale") parameter.value.set_requires_grad(true);
      ++matched;
    }
    require(matched > 0, ErrorKind::usage, "\"trainable\": \"{}\" matches no parameter of the model", pattern);
  }
  Tensor scale = store().find(prefix_ + "scale").value;
  scale.fill(static_cast<float>(-std::log(options.temperature)));
  scale.set_requires_grad(options.learn_temperature);
  if (options.lora) add_lora(*options.lora);
  require(!options.trainable.empty() || options.lora, ErrorKind::usage,
          "nothing trains: give \"trainable\" or \"lora\"");
}

void ImagebindLearner::add_lora(const LoraConfig& config) {
  for (const std::string& target : config.targets) {
    require(std::ranges::find(kTargets, target) != kTargets.end(), ErrorKind::usage,
            "lora.targets: \"{}\" is no matrix of a trunk's blocks ({})", target, fmt::join(kTargets, ", "));
  }
  store().set_seed(options_.seed);
  dropout_->probability = static_cast<float>(config.dropout);
  model_->transformer(options_.sense).for_each_linear([&](const std::string& name, nn::Linear& linear) {
    const std::string target = name.substr(name.rfind('.') + 1);
    if (!config.targets.empty() && std::ranges::find(config.targets, target) == config.targets.end()) return;
    const std::string module = prefix_ + name;
    Change change{module + ".weight",
                  store().add("lora." + module + ".a", {config.rank, linear.inputs()}, nn::Init::lecun, kLoraStart),
                  store().add("lora." + module + ".b", {linear.outputs(), config.rank}, nn::Init::zeros)};
    change.a_RK.set_requires_grad(true);
    change.b_MR.set_requires_grad(true);
    linear.changes.push_back({.a_RK = change.a_RK,
                              .b_MR = change.b_MR,
                              .scale = config.scale(),
                              .dropout = dropout_,
                              .stream = static_cast<uint64_t>(changes_.size())});
    changes_.push_back(std::move(change));
  });
}

Tensor ImagebindLearner::prepare(const EmbedInput& input) const {
  return prepare_imagebind(input, model_->config().towers.at(options_.sense));
}

Tensor ImagebindLearner::embed(const Tensor& prepared_NCHW, int64_t first) const {
  drop_path_->first_input = first;
  return ops::l2_normalize(model_->encode(options_.sense, prepared_NCHW), kUnitEps);
}

Tensor ImagebindLearner::log_scale() const { return model_->store().find(prefix_ + "scale").value.reshape({1}); }

void ImagebindLearner::save(const std::filesystem::path& folder) const {
  const NoGrad no_grad;
  nn::ParameterStore changed;
  for (const nn::Parameter& parameter : model_->store().parameters()) {
    if (parameter.name.starts_with("lora.")) continue;
    const auto change = std::ranges::find(changes_, parameter.name, &Change::matrix);
    const bool merged = change != changes_.end();
    if (!merged && !parameter.value.requires_grad() && parameter.name != prefix_ + "scale") continue;
    Tensor value = parameter.value.to(DType::f32).clone();
    if (merged) {
      // W + scale B A, by the transpose of A.
      const int64_t rank = change->a_RK.dim(0), inputs = change->a_RK.dim(1);
      const Tensor turned_KR = Tensor::empty({inputs, rank});
      for (int64_t k = 0; k < inputs; ++k) {
        for (int64_t r = 0; r < rank; ++r) {
          turned_KR.data<float>()[k * rank + r] = change->a_RK.data<float>()[r * inputs + k];
        }
      }
      value = ops::add(value, ops::linear(change->b_MR, turned_KR), 1.0f, options_.lora->scale());
    }
    value.set_requires_grad(true);
    changed.parameters().push_back({parameter.name, value});
  }
  write_huggingface(*with_trained(*checkpoint_, names_, changed), folder, {});
}

}  // namespace sensorium::models
