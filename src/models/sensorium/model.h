// The native model: image encoder with task heads, projector, further senses, decoder; interleaved text, pictures and
// recordings in any order and number.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "media/image.h"
#include "models/decoder/decoder.h"
#include "models/sensorium/config.h"
#include "models/sensorium/connector.h"
#include "models/sensorium/heads.h"
#include "models/sensorium/joint.h"
#include "models/sensorium/prompt.h"
#include "models/sensorium/sense.h"

namespace sensorium::models {

// What the encoder and its heads say about a picture or a recording.
// Where in a picture the classifier finds one of its labels.
struct LabelHeat {
  std::string label;
  int rows = 0, columns = 0;
  std::vector<float> values;  // [rows, columns]: what each of the encoder's tokens adds to the label's logit
};

struct Perception {
  Tensor image_tokens_TC;                   // [tokens, decoder dim]: what the decoder reads
  std::vector<int64_t> token_offsets = {};  // of the picture, or of the recording's windows
  Evidence evidence;                        // boxes relative to the picture; of a recording labels alone
  std::vector<LabelHeat> heats = {};        // of a picture, for the labels of its evidence
};

class SensoriumModel {
 public:
  // A new model with random weights, or one whose parameters come from the store's source.
  SensoriumModel(SensoriumConfig config, std::shared_ptr<const text::Tokenizer> tokenizer, nn::ParameterStore store);
  // Reads config.json, tokenizer.json and model.safetensors; weights are memory-mapped. Throws Error that names the file and
  // what is missing, unexpected or of the wrong shape.
  static std::unique_ptr<SensoriumModel> load(const std::filesystem::path& directory);

  const SensoriumConfig& config() const { return config_; }
  SensoriumConfig& mutable_config() { return config_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const PromptWriter& prompt() const { return prompt_; }
  nn::ParameterStore& store() { return store_; }
  const nn::ParameterStore& store() const { return store_; }
  Decoder& decoder() { return decoder_; }
  const Decoder& decoder() const { return decoder_; }
  const Detector& detector() const { return detector_; }
  const Classifier& classifier() const { return classifier_; }
  const Queries& label_queries() const { return label_queries_; }
  const Queries& object_queries() const { return object_queries_; }
  Queries queries(const std::vector<std::string>& phrases) const;
  // Of the features' only picture.
  std::vector<LabelHeat> find_heats(const modality::ImageFeatures& features,
                                    const std::vector<std::string>& labels) const;
  std::span<const Sense> senses() const { return senses_; }
  // Throws Error(unsupported) that says which senses this model has.
  const Sense& sense(const modality::SenseKind& kind) const;
  bool has(const modality::SenseKind& kind) const;

  // Throws Error(unsupported) for a model without a joint space.
  const JointSpace& joint() const;

  // pictures already of their prepared size.
  modality::ImageFeatures encode(const modality::PreparedImages& images) const {
    return encoder_(images.pixels_P3, images.pictures);
  }
  // Signals of one sense.
  modality::ImageFeatures encode(const Sense& sense, std::span<const modality::Signal* const> signals,
                                 DType compute) const {
    return sense.encode(encoder_, signals, compute);
  }
  // Rows of project() for a picture of the prepared size.
  int64_t image_token_count(int64_t width, int64_t height) const;
  // Less memory in training, for a second forward pass: of the encoder's blocks and the decoder's.
  void set_checkpointing(bool on);
  // [T, decoder dim]; `token_offsets` receives the pictures' rows.
  Tensor project(const modality::ImageFeatures& features, std::vector<int64_t>& token_offsets) const;
  std::vector<Evidence> find_evidence(const modality::ImageFeatures& features, const ops::Pictures& pictures) const;
  // All of the above without gradients, for a picture of any size.
  Perception perceive(const media::Image& image, DType compute = DType::bf16) const;
  // The same for a recording: the tokens of its windows, one after another. Throws Error as sense().
  Perception perceive(const modality::Recording& recording, DType compute = DType::bf16) const;
  // What is likeliest of a recording, as evidence tells it.
  Evidence find_evidence(const Sense& sense, const modality::ImageFeatures& features) const;

  // How many places a picture or recording of so many rows takes in a prompt: one if the decoder reads the rows beside it.
  int64_t places(int64_t rows) const { return config_.fusion.kind == FusionKind::cross_attention ? 1 : rows; }
  // Embeds sequences whose image places are filled, in order, with the token rows of their pictures and recordings. A decoder that
  // reads these beside the prompt finds `<|image|>` itself in their places, and media_of() says what stands there.
  Tensor embed(std::span<const TokenSequence* const> sequences, const Tensor& image_tokens_TC,
               std::span<const int64_t> token_offsets, DType compute, ops::Sequences& packed) const;
  // What the sequences read beside themselves; of a decoder that reads nothing so, none.
  CrossMedia media_of(std::span<const TokenSequence* const> sequences, const Tensor& image_tokens_TC,
                      std::span<const int64_t> token_offsets) const;

 private:
  SensoriumConfig config_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  nn::ParameterStore store_;
  PromptWriter prompt_;
  modality::ImageEncoder encoder_;
  Connector connector_;
  Decoder decoder_;
  Detector detector_;
  Classifier classifier_;
  Queries label_queries_, object_queries_;
  std::vector<Sense> senses_;
  std::optional<JointSpace> joint_;
};

// Writes config.json, tokenizer.json (copied from `tokenizer_json`) and model.safetensors (weights in `dtype`), each
// atomically, the weights last.
void save_model(const std::filesystem::path& directory, const SensoriumModel& model, const std::string& tokenizer_json,
                DType dtype);

}  // namespace sensorium::models
