#include "models/dual_encoder/dual_encoder.h"

#include <cmath>

#include "models/decoder/session.h"
#include "models/vision/published.h"

namespace sensorium::models {

DualEncoder::DualEncoder(const Checkpoint& checkpoint, DType compute, std::string family,
                         const modality::ImageProcessorConfig& processor_defaults)
    : name_(checkpoint.name()), family_(std::move(family)), compute_(compute), tokenizer_(checkpoint.tokenizer()) {
  const modality::LocatedJson processor = checkpoint.image_processor();
  processor_ = modality::ImageProcessorConfig::from_json(processor.json, processor.where, processor_defaults);
}

void DualEncoder::check_sizes() const {
  require(tokenizer_->vocab_size() <= text_.config().vocabulary, ErrorKind::invalid_data,
          "{}: the tokenizer has {} tokens, the model's embedding only {} rows: it belongs to another model", name_,
          tokenizer_->vocab_size(), text_.config().vocabulary);
}

Tensor DualEncoder::prepare(std::span<const media::Image> images) const {
  const int64_t size = vision_.config().image_size;
  const Tensor pixels = Tensor::empty({static_cast<int64_t>(images.size()), 3, size, size});
  for (size_t i = 0; i < images.size(); ++i) {
    const media::Image fitted = modality::fit_image(images[i], processor_);
    require(fitted.width == size && fitted.height == size, ErrorKind::invalid_data,
            "{}: the image processor makes {} x {} pixels, the vision tower takes {} x {}", name_, fitted.width,
            fitted.height, size, size);
    const auto index = static_cast<int64_t>(i);
    pixels.slice(index, index + 1).reshape({3, size, size}).copy_from(modality::to_pixels(fitted, processor_));
  }
  return pixels;
}

Tensor DualEncoder::embed_images(std::span<const media::Image> images) const {
  const NoGrad no_grad;
  return ops::l2_normalize(ops::cast(project_images(prepare(images)), DType::f32));
}

Tensor DualEncoder::embed_texts(std::span<const std::string> texts) const {
  const NoGrad no_grad;
  std::vector<int32_t> ids;
  ops::Sequences packed{{0}};
  for (const std::string& text : texts) {
    const std::vector<int32_t> more = encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
    packed.offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  const Tensor ids_T = Tensor::from(ids, {static_cast<int64_t>(ids.size())});
  return ops::l2_normalize(ops::cast(project_texts(ids_T, packed), DType::f32));
}

Tensor DualEncoder::compare(const Tensor& images, const Tensor& texts) const {
  const NoGrad no_grad;
  const Tensor logits = ops::scale(ops::linear(images, texts), std::exp(logit_scale_.item()));
  if (!logit_bias_.defined()) return logits;
  return ops::add(logits, Tensor::full({logits.dim(1)}, logit_bias_.item()));
}

std::vector<float> DualEncoder::classify(const media::Image& image, std::span<const std::string> labels) const {
  require(!labels.empty(), ErrorKind::usage, "there are no labels to choose from");
  const Tensor logits = compare(embed_images({&image, 1}), embed_texts(labels));
  const double total = log_sum_exp(logits.span<float>());
  std::vector<float> probabilities;
  for (const float logit : logits.span<float>()) probabilities.push_back(static_cast<float>(std::exp(logit - total)));
  return probabilities;
}

std::unique_ptr<ChatSession> DualEncoder::start(std::span<const ChatMessage> /*messages*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model compares pictures with texts; it answers no questions", name_, family_);
}

std::vector<AnswerBox> DualEncoder::find_objects(const media::Image& /*image*/,
                                                 std::span<const std::string> /*phrases*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model classifies whole pictures; it finds no objects in them", name_, family_);
}

std::pair<double, int64_t> DualEncoder::text_nll(std::string_view /*text*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model gives texts no probabilities", name_, family_);
}

OrderedJson DualEncoder::describe() const {
  const TextTowerConfig& text = text_.config();
  return {{"name", name_},
          {"family", family_},
          {"modalities_in", {"text", "image"}},
          {"modalities_out", {"embedding"}},
          {"image_encoder", describe_vision(vision_.config())},
          {"text_encoder",
           {{"vocabulary", text.vocabulary},
            {"dim", text.dim},
            {"layers", text.layers},
            {"heads", text.heads},
            {"mlp_width", text.mlp_width}}},
          {"context_tokens", text.context}};
}

}  // namespace sensorium::models
