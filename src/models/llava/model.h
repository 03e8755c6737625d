// LLaVA (Liu 2023): a vision tower, a projector of two layers, a language decoder. A picture becomes one or several views of the
// tower's size; their projected states take the place of one image token in the prompt.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "modality/image/processor.h"
#include "modality/image/vision_transformer.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/cache.h"
#include "models/decoder/prompt.h"
#include "models/decoder/session.h"
#include "models/llava/config.h"
#include "models/model.h"
#include "models/picture_cache.h"

namespace sensorium::models {

// LLaVA 1.5: one view per picture. Later members of the family derive from it.
class LlavaModel : public Model {
 public:
  // Reads the checkpoint. Throws Error that names the file and what is missing, unexpected or of the wrong shape.
  static std::unique_ptr<LlavaModel> load(const Checkpoint& checkpoint, DType compute);

  // The pixels of a picture's views, f32 [views, 3, S, S].
  virtual Tensor prepare(const media::Image& image) const;
  // The same in one view, for families that give each of several pictures less room.
  virtual Tensor prepare_whole(const media::Image& image) const { return prepare(image); }
  // Whether every picture of a conversation with so many has one view only.
  virtual bool reads_whole(size_t /*pictures*/) const { return false; }
  // What the decoder reads in a picture's place, [tokens, decoder dim].
  Tensor read_picture(const media::Image& image) const;
  Tensor read_whole_picture(const media::Image& image) const;
  // The same of prepared views of a picture of width x height pixels; gradients reach tower and projector.
  Tensor read_views(const Tensor& pixels_N3SS, int64_t width, int64_t height) const;
  // How many rows read_views() makes of so many views.
  virtual int64_t picture_rows(int64_t views, int64_t width, int64_t height) const;
  // The same for the frames of a video. Throws Error(unsupported) for families that read none.
  virtual Tensor read_video(std::span<const std::shared_ptr<const media::Image>> frames) const;
  // The prompt's token ids with one image (video) token per decoder row of a picture (video), which say how many rows
  // each has, in their order. Throws Error(usage) if the chat template loses one.
  std::vector<int32_t> write_tokens(std::span<const ChatMessage> messages, std::span<const int64_t> picture_rows,
                                    std::span<const int64_t> video_rows = {}) const;
  // Tokens and rows in one sequence, [T, dim]: the i-th image token takes the i-th of the pictures' rows, the i-th video
  // token the i-th of the videos'. Undefined: none.
  Tensor embed(std::span<const int32_t> tokens, const Tensor& picture_rows_RC, const Tensor& video_rows_RC = {}) const;

  const LlavaConfig& config() const { return config_; }
  const Decoder& decoder() const { return decoder_; }
  const ChatPromptWriter& prompts() const { return prompts_; }
  const std::vector<int32_t>& end_tokens() const { return end_tokens_; }
  DType compute() const { return compute_; }

  // For training.
  nn::ParameterStore& store() { return store_; }
  Decoder& decoder() { return decoder_; }
  void set_checkpointing(bool on);
  // Where the checkpoint's files have the parameters.
  void map_names(CheckpointWeights& weights) const;

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override {
    return with_prompt_read(begin(messages));
  }
  std::unique_ptr<ChatSession> begin(std::span<const ChatMessage> messages) const override;
  std::unique_ptr<ChatSession> begin_tokens(std::span<const int32_t> ids) const override;
  void configure_cache(const CacheOptions& options) override { cache_.configure(options); }
  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  const nn::ParameterStore& store() const override { return store_; }
  OrderedJson describe() const override;
  std::pair<double, int64_t> text_nll(std::string_view text) const override;
  // These throw Error(unsupported).
  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override;
  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override;

 protected:
  // Reads all but the weights, which load_weights() adds: their names depend on the derived class. `processor_defaults`:
  // what holds where the image processor's file is silent.
  LlavaModel(const Checkpoint& checkpoint, DType compute, std::string family,
             const modality::ImageProcessorConfig& processor_defaults = {});
  void load_weights(const Checkpoint& checkpoint);
  // Parameters of a derived class, between the projector and the decoder, and where the files have them.
  virtual void map_parameters(CheckpointWeights& /*weights*/) const {}
  virtual void add_parameters(nn::ParameterStore& /*store*/) {}
  // One view of the tower's size by a processor: f32 [1, 3, S, S]. Throws Error(invalid_data) if the processor makes another.
  Tensor prepare_view(const media::Image& image, const modality::ImageProcessorConfig& processor) const;
  // The projected states of views f32 [views, 3, S, S] -> [views * view_tokens, decoder dim].
  Tensor project(const Tensor& pixels_N3SS) const;
  // Joins the projected views [views * view_tokens, dim] of a picture of width x height pixels.
  virtual Tensor pack(const Tensor& views_TC, int64_t width, int64_t height) const;

  const modality::ImageProcessorConfig& processor() const { return processor_; }

 private:
  ChatPromptWriter::Pictures find_places(const Checkpoint& checkpoint) const;
  DecoderSession::Options session_options(int64_t prompt_tokens) const;
  // Throws Error(limit) that says how many tokens each picture takes.
  void require_room(int64_t length, std::span<const int64_t> picture_rows, std::span<const int64_t> video_rows) const;

  std::string name_, family_;
  DType compute_;
  LlavaConfig config_;
  modality::ImageProcessorConfig processor_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  ChatPromptWriter prompts_;
  std::vector<int32_t> end_tokens_;
  nn::ParameterStore store_;
  modality::VisionTransformer vision_;
  nn::Mlp projector_;
  Decoder decoder_;
  mutable PictureCache<Tensor> pictures_{[](const Tensor& rows) { return rows.bytes(); }};
  mutable PictureCache<Tensor> whole_pictures_{[](const Tensor& rows) { return rows.bytes(); }};
  mutable DecoderCache cache_;
};

std::unique_ptr<Model> load_llava(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
