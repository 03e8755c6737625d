// Legend: N inputs, C channels, H height, W width, T tokens of all texts.
#include "models/imagebind/imagebind.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/log.h"
#include "models/checkpoint/weights.h"
#include "text/clean_text.h"

namespace sensorium::models {
namespace {

constexpr float kHighestScale = 100.0f;
constexpr float kUnitEps = 1e-12f;  // of torch.nn.functional.normalize
constexpr size_t kBatch = 8;        // inputs that go through a tower at once

// Films go through the tower of pictures.
InputSense tower_of(InputSense sense) { return sense == InputSense::video ? InputSense::image : sense; }

OrderedJson describe_tower(const modality::PatchTransformerConfig& config) {
  return {{"tokens", config.tokens()},
          {"dim", config.dim()},
          {"layers", config.layers},
          {"heads", config.heads},
          {"mlp_width", config.mlp_width}};
}

}  // namespace

Imagebind::Imagebind(const Checkpoint& checkpoint, DType compute)
    : EmbeddingModel(checkpoint.name(), "imagebind", compute),
      config_(ImagebindConfig::from_json(checkpoint.config(), checkpoint.where())) {
  if (config_.text) {
    try {
      tokenizer_ = checkpoint.tokenizer();
    } catch (const Error& error) {
      // The released file has none: it can still read everything but texts.
      if (error.kind() != ErrorKind::not_found) throw;
      no_tokenizer_ = error.message();
    }
  }
  CheckpointWeights weights(checkpoint);
  map_names(weights);
  store_ = weights.load([&](nn::ParameterStore& store) {
    for (const ImagebindNames& names : imagebind_names()) {
      const std::string name = names.name;
      if (names.sense == InputSense::text) {
        if (!config_.text) continue;
        text_ = TextTower(store, name, *config_.text);
        text_projection_ = nn::Linear(store, name + ".projection", config_.text->dim, config_.dim, nn::Bias::none);
        text_scale_ = store.add(name + ".scale", Shape());
      } else if (const auto found = config_.towers.find(names.sense); found != config_.towers.end()) {
        const modality::PatchTransformerConfig& sizes = found->second.transformer;
        Tower& tower = towers_[names.sense];
        tower.transformer = modality::PatchTransformer(store, name, sizes);
        tower.projection = nn::Linear(store, name + ".projection", sizes.dim(), config_.dim, nn::Bias::none);
        if (names.sense != InputSense::image) tower.scale = store.add(name + ".scale", Shape());
      }
    }
  });
  require(!tokenizer_ || tokenizer_->vocab_size() <= config_.text->vocabulary, ErrorKind::invalid_data,
          "{}: the tokenizer has {} tokens, the model's embedding only {} rows: it belongs to another model", name_,
          tokenizer_ ? tokenizer_->vocab_size() : 0, config_.text ? config_.text->vocabulary : 0);
}

void Imagebind::map_names(CheckpointWeights& weights) {
  for (ImagebindNames& names : imagebind_names()) {
    weights.map(fmt::format("{}.", names.name), {""}, std::move(names.rules));
  }
  weights.ignore("modality_preprocessors.text.mask");
}

modality::PatchTransformer& Imagebind::transformer(InputSense sense) {
  const auto found = towers_.find(tower_of(sense));
  require(found != towers_.end(), ErrorKind::unsupported, "{}: the model has no tower for {}", name_, name_of(sense));
  return found->second.transformer;
}

std::vector<InputSense> Imagebind::senses() const {
  std::vector<InputSense> all;
  for (const InputSense sense : kSenses) {
    if (sense == InputSense::text ? config_.text.has_value() : towers_.contains(tower_of(sense))) all.push_back(sense);
  }
  return all;
}

Tensor Imagebind::finish(const Tensor& projected_NC, const Tensor& scale) const {
  const Tensor unit_NC = ops::l2_normalize(ops::cast(projected_NC, DType::f32), kUnitEps);
  return scale.defined() ? ops::scale(unit_NC, std::min(std::exp(scale.item()), kHighestScale)) : unit_NC;
}

Tensor Imagebind::encode(InputSense sense, const Tensor& prepared_NCHW, int64_t clips) const {
  const auto found = towers_.find(tower_of(sense));
  require(found != towers_.end(), ErrorKind::unsupported, "{}: the model has no tower for {}", name_, name_of(sense));
  const ImagebindTower& sizes = config_.towers.at(tower_of(sense));
  const int64_t inputs = prepared_NCHW.rank() > 0 ? prepared_NCHW.dim(0) : 0;
  require(prepared_NCHW.shape() == Shape({inputs, sizes.input[0], sizes.input[1], sizes.input[2]}) && clips > 0 &&
              inputs % clips == 0,
          ErrorKind::shape, "{}: prepared inputs {} of {} clips each, expected [N, {}, {}, {}]", name_of(sense),
          prepared_NCHW.shape(), clips, sizes.input[0], sizes.input[1], sizes.input[2]);
  const Tower& tower = found->second;
  const Tensor patches_PK = modality::cut_patches(prepared_NCHW, sizes.window, compute_);
  const Tensor vectors_NC = finish(tower.projection(tower.transformer.class_states(patches_PK)), tower.scale);
  if (clips == 1) return vectors_NC;
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i <= inputs; i += clips) offsets.push_back(i);
  return ops::segment_mean(vectors_NC, offsets);
}

Tensor Imagebind::encode_texts(std::span<const std::vector<int32_t>> texts) const {
  require(config_.text.has_value(), ErrorKind::unsupported, "{}: the model has no tower for texts", name_);
  std::vector<int32_t> ids, ends;
  ops::Sequences packed{{0}};
  for (const std::vector<int32_t>& text : texts) {
    require(!text.empty(), ErrorKind::shape, "a text of no tokens");
    ids.insert(ids.end(), text.begin(), text.end());
    packed.offsets.push_back(static_cast<int32_t>(ids.size()));
    ends.push_back(static_cast<int32_t>(ids.size()) - 1);
  }
  const Tensor states_TC = text_(Tensor::from(ids, {static_cast<int64_t>(ids.size())}), packed, compute_);
  const Tensor ends_N = Tensor::from(ends, {static_cast<int64_t>(ends.size())});
  return finish(text_projection_(ops::gather_rows(states_TC, ends_N)), text_scale_);
}

const text::Tokenizer& Imagebind::tokenizer() const {
  require(tokenizer_ != nullptr, ErrorKind::not_found,
          "{}: texts need CLIP's tokenizer: put bpe_simple_vocab_16e6.txt.gz (of the code of CLIP or ImageBind) or the "
          "tokenizer.json of a CLIP model beside the weights ({})",
          name_, no_tokenizer_.empty() ? "the model reads no texts" : no_tokenizer_);
  return *tokenizer_;
}

std::vector<int32_t> Imagebind::write_tokens(const EmbedInput& input) const {
  const std::string text = text::clean_text(input.text);
  std::vector<int32_t> ids = tokenizer().encode(text, {.affixes = text::Affixes::model});
  const size_t tokens = ids.size();
  if (cut_to_context(ids, config_.text->context)) {
    log_warning("the text \"{}\" has {} tokens, the model reads {}: the rest is left out",
                text.size() > 40 ? text.substr(0, 40) + "..." : text, tokens, config_.text->context);
  }
  return ids;
}

Tensor Imagebind::embed(std::span<const EmbedInput> inputs) const {
  const NoGrad no_grad;
  for (const EmbedInput& input : inputs) require_sense(*this, input, name_);
  const auto count = static_cast<int64_t>(inputs.size());
  const Tensor result_NC = Tensor::empty({count, config_.dim});
  for (const InputSense sense : kSenses) {
    std::vector<size_t> of_sense;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].sense == sense) of_sense.push_back(i);
    }
    const size_t batch = sense == InputSense::video ? 1 : kBatch;  // a film alone is 15 clips
    for (size_t begin = 0; begin < of_sense.size(); begin += batch) {
      const size_t end = std::min(begin + batch, of_sense.size());
      Tensor vectors_NC;
      if (sense == InputSense::text) {
        std::vector<std::vector<int32_t>> texts;
        for (size_t i = begin; i < end; ++i) texts.push_back(write_tokens(inputs[of_sense[i]]));
        vectors_NC = encode_texts(texts);
      } else {
        const ImagebindTower& tower = config_.towers.at(tower_of(sense));
        std::vector<Tensor> prepared;
        for (size_t i = begin; i < end; ++i) prepared.push_back(prepare_imagebind(inputs[of_sense[i]], tower));
        const int64_t clips = prepared.front().dim(0);
        vectors_NC = encode(sense, ops::concat_rows(prepared), clips);
      }
      for (size_t i = begin; i < end; ++i) {
        const auto from = static_cast<int64_t>(i - begin), to = static_cast<int64_t>(of_sense[i]);
        result_NC.slice(to, to + 1).copy_from(vectors_NC.slice(from, from + 1));
      }
    }
  }
  return result_NC;
}

Tensor Imagebind::compare(const Tensor& items, const Tensor& others) const {
  const NoGrad no_grad;
  return ops::linear(items, others);
}

OrderedJson Imagebind::describe() const {
  OrderedJson senses = OrderedJson::array(), towers;
  for (const InputSense sense : this->senses()) senses.push_back(name_of(sense));
  for (const auto& [sense, tower] : config_.towers) {
    towers[std::string(name_of(sense))] = describe_tower(tower.transformer);
  }
  OrderedJson json = {{"name", name_},
                      {"family", family_},
                      {"modalities_in", senses},
                      {"modalities_out", {"embedding"}},
                      {"embedding_dim", config_.dim}};
  if (config_.text) {
    json["text_encoder"] = {{"vocabulary", config_.text->vocabulary}, {"dim", config_.text->dim},
                            {"layers", config_.text->layers},         {"heads", config_.text->heads},
                            {"mlp_width", config_.text->mlp_width},   {"tokenizer", tokenizer_ ? "loaded" : "missing"}};
  }
  json["encoders"] = towers;
  return json;
}

std::unique_ptr<Model> load_imagebind(const Checkpoint& checkpoint, DType compute) {
  return std::make_unique<Imagebind>(checkpoint, compute);
}

}  // namespace sensorium::models
