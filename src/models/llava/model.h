// LLaVA (Liu 2023): a vision tower, a projector of two layers, a language decoder. A picture becomes one or several views of the
// tower's size; their projected states take the place of one image token in the prompt.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "modality/image/processor.h"
#include "modality/image/vision_transformer.h"
#include "models/checkpoint/weights.h"
#include "models/llava/config.h"
#include "models/model.h"
#include "models/picture_cache.h"

namespace sensorium::models {

// LLaVA 1.5: one view per picture. Later members of the family derive from it.
class LlavaModel : public Model {
 public:
  // Reads the folder. Throws Error that names the file and what is missing, unexpected or of the wrong shape.
  static std::unique_ptr<LlavaModel> load(const std::filesystem::path& directory, DType compute);

  // The pixels of a picture's views, f32 [views, 3, S, S].
  virtual Tensor prepare(const media::Image& image) const;
  // What the decoder reads in a picture's place, [tokens, decoder dim].
  Tensor read_picture(const media::Image& image) const;
  // The prompt's token ids with one image token per decoder row of a picture; `rows` says how many each picture has.
  std::vector<int32_t> write_tokens(std::span<const ChatMessage> messages, std::span<const int64_t> rows) const;
  // Tokens and picture rows in one sequence, [T, dim]: the i-th image token takes the i-th of `rows`.
  Tensor embed(std::span<const int32_t> tokens, const Tensor& rows_RC) const;

  const LlavaConfig& config() const { return config_; }
  const Decoder& decoder() const { return decoder_; }

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override;
  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  const nn::ParameterStore& store() const override { return store_; }
  OrderedJson describe() const override;
  std::pair<double, int64_t> text_nll(std::string_view text) const override;
  // These throw Error(unsupported).
  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override;
  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override;

 protected:
  // Reads all but the weights, which load_weights() adds: their names depend on the derived class.
  LlavaModel(const std::filesystem::path& directory, DType compute, std::string family, const Json& json);
  void load_weights(const std::filesystem::path& directory);
  // Parameters of a derived class, under names that it maps; between the projector and the decoder.
  virtual void add_parameters(CheckpointWeights& /*weights*/, nn::ParameterStore& /*store*/) {}
  // Joins the projected views [views * view_tokens, dim] of a picture of width x height pixels.
  virtual Tensor pack(const Tensor& views_TC, int64_t width, int64_t height) const;

  const modality::ImageProcessorConfig& processor() const { return processor_; }
  DType compute() const { return compute_; }

 private:
  std::string name_, family_;
  DType compute_;
  LlavaConfig config_;
  modality::ImageProcessorConfig processor_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::string image_text_;  // the image token's text
  std::vector<int32_t> end_tokens_;
  nn::ParameterStore store_;
  modality::VisionTransformer vision_;
  nn::Mlp projector_;
  Decoder decoder_;
  mutable PictureCache<Tensor> pictures_;
};

std::unique_ptr<Model> load_llava(const std::filesystem::path& directory, DType compute);

}  // namespace sensorium::models
