#include "models/dual_encoder/dual_encoder.h"

#include <cmath>

#include "models/vision/published.h"

namespace sensorium::models {

DualEncoder::DualEncoder(const Checkpoint& checkpoint, DType compute, std::string family,
                         const modality::ImageProcessorConfig& processor_defaults)
    : EmbeddingModel(checkpoint.name(), std::move(family), compute), tokenizer_(checkpoint.tokenizer()) {
  const modality::LocatedJson processor = checkpoint.image_processor();
  processor_ = modality::ImageProcessorConfig::from_json(processor.json, processor.where, processor_defaults);
}

void DualEncoder::check_sizes() const {
  require(embedding_dim_ > 0, ErrorKind::invalid_data, "{}: vectors of {} numbers", name_, embedding_dim_);
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

std::vector<InputSense> DualEncoder::senses() const { return {InputSense::text, InputSense::image}; }

Tensor DualEncoder::embed(std::span<const EmbedInput> inputs) const {
  std::vector<media::Image> images;
  std::vector<std::string> texts;
  std::vector<int32_t> rows;  // of each input: texts stand behind the pictures
  for (const EmbedInput& input : inputs) {
    require_sense(*this, input, name_);
    if (input.sense == InputSense::image) images.push_back(*input.image);
  }
  int32_t picture = 0;
  for (const EmbedInput& input : inputs) {
    if (input.sense == InputSense::text) texts.push_back(input.text);
    rows.push_back(input.sense == InputSense::image ? picture++
                                                    : static_cast<int32_t>(images.size() + texts.size()) - 1);
  }
  std::vector<Tensor> parts;
  if (!images.empty()) parts.push_back(embed_images(images));
  if (!texts.empty()) parts.push_back(embed_texts(texts));
  if (parts.empty()) return Tensor::empty({0, embedding_dim_});
  return ops::gather_rows(ops::concat_rows(parts), Tensor::from(rows, {static_cast<int64_t>(rows.size())}));
}

Tensor DualEncoder::compare(const Tensor& images, const Tensor& texts) const {
  const NoGrad no_grad;
  const Tensor logits = ops::scale(ops::linear(images, texts), std::exp(logit_scale_.item()));
  if (!logit_bias_.defined()) return logits;
  return ops::add(logits, Tensor::full({logits.dim(1)}, logit_bias_.item()));
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
