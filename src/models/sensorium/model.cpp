#include "models/sensorium/model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/file.h"
#include "io/safetensors.h"
#include "models/checkpoint/packed.h"
#include "models/decoder/session.h"
#include "models/sensorium/objectives.h"
#include "text/tokenizer_json.h"

namespace sensorium::models {
namespace {

constexpr double kDefaultThreshold = 0.3;
constexpr size_t kKnownLabels = 3;
constexpr float kLeastLabelProbability = 0.05f;

// The likeliest labels, best first.
std::vector<std::string> likeliest(std::span<const float> probabilities, const std::vector<std::string>& labels) {
  std::vector<size_t> order(labels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  std::vector<std::string> likely;
  for (size_t k = 0; k < std::min(kKnownLabels, order.size()); ++k) {
    if (k > 0 && probabilities[order[k]] < kLeastLabelProbability) break;
    likely.push_back(labels[order[k]]);
  }
  return likely;
}

std::vector<std::vector<int32_t>> encode_phrases(const text::Tokenizer& tokenizer,
                                                 const std::vector<std::string>& phrases) {
  std::vector<std::vector<int32_t>> encoded;
  for (const std::string& phrase : phrases) {
    encoded.push_back(tokenizer.encode(phrase));
    require(!encoded.back().empty(), ErrorKind::usage, "an empty phrase cannot be looked for");
  }
  return encoded;
}

}  // namespace

SensoriumModel::SensoriumModel(SensoriumConfig config, std::shared_ptr<const text::Tokenizer> tokenizer,
                               nn::ParameterStore store)
    : config_(std::move(config)),
      tokenizer_(std::move(tokenizer)),
      store_(std::move(store)),
      prompt_(*tokenizer_, config_) {
  encoder_ = modality::ImageEncoder(store_, "image", config_.image);
  detector_ = Detector(store_, "detector", config_.image, config_.heads, config_.decoder.vocabulary);
  classifier_ =
      Classifier(store_, "classifier", config_.image.dim, config_.heads.query_dim, config_.decoder.vocabulary);
  connector_ = Connector(store_, "projector", config_.image.dim, config_.merge, config_.fusion, config_.decoder.dim);
  decoder_ = Decoder(store_, "decoder", config_.decoder);
  label_queries_ = queries(config_.heads.labels);
  object_queries_ = queries(config_.heads.objects);
  for (const SenseConfig& sense : config_.senses) senses_.emplace_back(store_, sense, config_, queries(sense.labels));
  if (config_.joint) joint_.emplace(store_, config_);
}

Queries SensoriumModel::queries(const std::vector<std::string>& phrases) const {
  return make_queries(encode_phrases(*tokenizer_, phrases));
}

const JointSpace& SensoriumModel::joint() const {
  require(joint_.has_value(), ErrorKind::unsupported,
          "this model has no joint space (no \"joint\" in its config.json); recipes/senses-5-bind.yaml trains one");
  return *joint_;
}

std::unique_ptr<SensoriumModel> SensoriumModel::load(const std::filesystem::path& directory) {
  require(std::filesystem::is_directory(directory), ErrorKind::not_found, "{}: no such model folder",
          directory.string());
  const std::filesystem::path config_path = directory / "config.json";
  SensoriumConfig config = SensoriumConfig::from_json(read_json_file(config_path), config_path.string());
  std::shared_ptr<const text::Tokenizer> tokenizer = text::read_tokenizer_json(directory / "tokenizer.json").value();
  try {
    const PromptWriter fits(*tokenizer, config);
  } catch (const Error& error) {
    throw error.with_context((directory / "tokenizer.json").string());
  }
  const std::filesystem::path weights_path = directory / "model.safetensors";
  auto weights = std::make_shared<io::SafetensorsFile>(io::SafetensorsFile::open(weights_path));
  std::set<std::string> wanted;
  const auto read = [&](const std::string& name, const Shape& shape) {
    wanted.insert(name);
    require(weights->contains(name), ErrorKind::invalid_data, "{}: tensor {} {} is missing", weights_path.string(),
            name, shape.str());
    const Tensor tensor = weights->tensor(name);
    require(tensor.shape() == shape, ErrorKind::invalid_data, "{}: tensor {} has shape {}, config.json makes it {}",
            weights_path.string(), name, tensor.shape().str(), shape.str());
    require(is_float(tensor.dtype()), ErrorKind::unsupported, "{}: tensor {} is {}, expected f32 or bf16",
            weights_path.string(), name, name_of(tensor.dtype()));
    // Norms, biases and gains are read as f32 by their kernels; matrices stay as they are, mapped.
    return shape.rank() == 1 || tensor.dtype() == DType::f16 ? tensor.to(DType::f32) : tensor;
  };
  const auto read_packed = [&](const std::string& name, const Shape& shape) -> ops::PackedWeight {
    const auto found = find_packed(name, [&](const std::string& stored) { return weights->contains(stored); });
    if (!found) return {};
    wanted.insert(found->name);
    try {
      return view_packed_tensor(*found, weights->tensor(found->name), shape);
    } catch (const Error& error) {
      throw error.with_context(weights_path.string());
    }
  };
  nn::ParameterStore store(nn::ParameterStore::Source(read, read_packed));
  auto model = std::make_unique<SensoriumModel>(std::move(config), std::move(tokenizer), std::move(store));
  for (const std::string& name : weights->names()) {
    require(wanted.contains(name), ErrorKind::invalid_data,
            "{}: tensor {} is not part of the model that config.json describes", weights_path.string(), name);
  }
  return model;
}

int64_t SensoriumModel::image_token_count(int64_t width, int64_t height) const {
  using modality::ImageEncoder;
  return connector_.rows({ImageEncoder::tokens_along(height), ImageEncoder::tokens_along(width)});
}

void SensoriumModel::set_checkpointing(bool on) {
  encoder_.set_checkpointing(on);
  for (Sense& sense : senses_) sense.set_checkpointing(on);
  decoder_.set_checkpointing(on);
}

Tensor SensoriumModel::project(const modality::ImageFeatures& features, std::vector<int64_t>& token_offsets) const {
  return connector_(features, token_offsets);
}

std::vector<Evidence> SensoriumModel::find_evidence(const modality::ImageFeatures& features,
                                                    const ops::Pictures& pictures) const {
  const NoGrad no_grad;
  std::vector<Evidence> evidence(pictures.count());
  if (label_queries_.count() > 0) {
    const Tensor logits_NQ = classifier_(features, label_queries_);
    for (size_t i = 0; i < pictures.count(); ++i) {
      const auto count = static_cast<size_t>(logits_NQ.dim(1));
      const std::span<const float> row = logits_NQ.span<float>().subspan(i * count, count);
      const double total = log_sum_exp(row);
      std::vector<float> probabilities;
      for (const float logit : row) probabilities.push_back(static_cast<float>(std::exp(logit - total)));
      evidence[i].labels = likeliest(probabilities, config_.heads.labels);
    }
  }
  if (object_queries_.count() > 0) {
    const std::vector<double> thresholds = config_.heads.thresholds.empty()
                                               ? std::vector<double>(config_.heads.objects.size(), kDefaultThreshold)
                                               : config_.heads.thresholds;
    const auto detections = detector_.detect(detector_(features, object_queries_), pictures, thresholds);
    for (size_t i = 0; i < pictures.count(); ++i) {
      const float width = static_cast<float>(pictures.widths[i]), height = static_cast<float>(pictures.heights[i]);
      for (const Detection& d : detections[i]) {
        evidence[i].objects.push_back({config_.heads.objects[static_cast<size_t>(d.query)],
                                       d.score,
                                       {d.box.x0 / width, d.box.y0 / height, d.box.x1 / width, d.box.y1 / height}});
      }
    }
  }
  return evidence;
}

Perception SensoriumModel::perceive(const media::Image& image, DType compute) const {
  const NoGrad no_grad;
  const media::Image resized = modality::resize_for_model(image, config_.prepare);
  const media::Image* pointer = &resized;
  const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, compute);
  const modality::ImageFeatures features = encode(prepared);
  std::vector<int64_t> offsets;
  Perception result{.image_tokens_TC = project(features, offsets), .token_offsets = {}, .evidence = {}};
  result.token_offsets = std::move(offsets);
  result.evidence = std::move(find_evidence(features, prepared.pictures).front());
  result.heats = find_heats(features, result.evidence.labels);
  return result;
}

std::vector<LabelHeat> SensoriumModel::find_heats(const modality::ImageFeatures& features,
                                                  const std::vector<std::string>& labels) const {
  if (labels.empty()) return {};
  const Tensor scores_TQ = classifier_.contributions(features, queries(labels));
  const int64_t tokens = scores_TQ.dim(0), phrases = scores_TQ.dim(1);
  std::vector<LabelHeat> heats;
  for (size_t label = 0; label < labels.size(); ++label) {
    LabelHeat heat{
        .label = labels[label], .rows = features.coarse.heights[0], .columns = features.coarse.widths[0], .values = {}};
    for (int64_t i = 0; i < tokens; ++i)
      heat.values.push_back(scores_TQ.data<float>()[i * phrases + static_cast<int64_t>(label)]);
    heats.push_back(std::move(heat));
  }
  return heats;
}

const Sense& SensoriumModel::sense(const modality::SenseKind& kind) const {
  std::string known = "image";
  for (const Sense& sense : senses_) {
    if (&sense.kind() == &kind) return sense;
    known += fmt::format(", {}", sense.kind().name);
  }
  fail(ErrorKind::unsupported, "this model has no sense of {}, it was given {}: it has {}", kind.faculty, kind.input,
       known);
}

bool SensoriumModel::has(const modality::SenseKind& kind) const {
  return std::any_of(senses_.begin(), senses_.end(), [&](const Sense& sense) { return &sense.kind() == &kind; });
}

Evidence SensoriumModel::find_evidence(const Sense& sense, const modality::ImageFeatures& features) const {
  const NoGrad no_grad;
  if (sense.labels().empty()) return {};
  return {.labels = likeliest(sense.probabilities(features, sense.label_queries()), sense.labels()), .objects = {}};
}

Perception SensoriumModel::perceive(const modality::Recording& recording, DType compute) const {
  const NoGrad no_grad;
  const Sense& found = sense(*recording.sense);
  const std::vector<modality::Signal> signals = signals_of(recording);
  const modality::ImageFeatures features = encode(found, pointers_to(signals), compute);
  std::vector<int64_t> offsets;
  const Tensor tokens_TC = found.project(features, offsets);
  Perception perception{
      .image_tokens_TC = tokens_TC, .token_offsets = std::move(offsets), .evidence = find_evidence(found, features)};
  perception.evidence.facts = recording.facts;
  return perception;
}

Tensor SensoriumModel::embed(std::span<const TokenSequence* const> sequences, const Tensor& image_tokens_TC,
                             std::span<const int64_t> token_offsets, DType compute, ops::Sequences& packed) const {
  const int32_t image_place = prompt_.special().image;
  const bool inside = config_.fusion.kind != FusionKind::cross_attention;
  std::vector<int32_t> ids, rows;  // rows: of the image tokens, behind the text rows; -1: text
  packed.offsets = {0};
  for (const TokenSequence* sequence : sequences) {
    size_t picture = 0;
    int64_t next = 0, end = 0;
    for (const int32_t token : sequence->tokens) {
      if (token != image_place || !inside) {
        ids.push_back(token);
        rows.push_back(-1);
        continue;
      }
      if (next == end) {
        require(picture < sequence->images.size(), ErrorKind::shape,
                "the sequence has more image places than pictures");
        const auto index = static_cast<size_t>(sequence->images[picture++]);
        require(index + 1 < token_offsets.size(), ErrorKind::shape, "picture {} of {}", index,
                token_offsets.size() - 1);
        next = token_offsets[index];
        end = token_offsets[index + 1];
      }
      ids.push_back(-1);
      rows.push_back(static_cast<int32_t>(next++));
    }
    require(!inside || (next == end && picture == sequence->images.size()), ErrorKind::shape,
            "the sequence's image places do not match its {} pictures", sequence->images.size());
    packed.offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  const auto count = static_cast<int64_t>(ids.size());
  const Tensor text_TC = decoder_.embed(Tensor::from(ids, {count}), compute);
  if (!inside || !image_tokens_TC.defined() || image_tokens_TC.dim(0) == 0) return text_TC;
  const Tensor places_TC = ops::gather_rows(image_tokens_TC, Tensor::from(rows, {count}));
  return ops::add(text_TC, places_TC);
}

CrossMedia SensoriumModel::media_of(std::span<const TokenSequence* const> sequences, const Tensor& image_tokens_TC,
                                    std::span<const int64_t> token_offsets) const {
  if (config_.fusion.kind != FusionKind::cross_attention || !image_tokens_TC.defined()) return {};
  CrossMedia media{.rows_SC = image_tokens_TC, .spans = {}};
  for (const TokenSequence* sequence : sequences) {
    std::vector<MediumSpan>& spans = media.spans.emplace_back();
    for (size_t row = 0; row < sequence->tokens.size(); ++row) {
      if (sequence->tokens[row] != prompt_.special().image) continue;
      require(spans.size() < sequence->images.size(), ErrorKind::shape,
              "the sequence has more image places than pictures");
      const auto index = static_cast<size_t>(sequence->images[spans.size()]);
      require(index + 1 < token_offsets.size(), ErrorKind::shape, "picture {} of {}", index, token_offsets.size() - 1);
      spans.push_back({static_cast<int64_t>(row), token_offsets[index], token_offsets[index + 1]});
    }
  }
  return media;
}

void save_model(const std::filesystem::path& directory, const SensoriumModel& model, const std::string& tokenizer_json,
                DType dtype) {
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  require(!code, ErrorKind::io, "{}: cannot create: {}", directory.string(), code.message());
  std::vector<io::NamedTensor> tensors;
  for (const nn::Parameter& parameter : model.store().parameters()) {
    if (parameter.name.starts_with(ObjectiveHeads::kPrefix)) continue;
    tensors.push_back(
        {parameter.name, parameter.value.rank() == 1 ? parameter.value.detach() : parameter.value.to(dtype)});
  }
  write_file_atomic(directory / "tokenizer.json", tokenizer_json);
  write_file_atomic(directory / "config.json", model.config().to_json().dump(2) + "\n");
  io::write_safetensors(directory / "model.safetensors", tensors, {{"format", "pt"}});
}

}  // namespace sensorium::models
