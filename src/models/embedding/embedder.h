// What models offer that turn inputs of several senses into vectors of one space: near vectors mean the same, whatever senses
// they come from.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/audio.h"
#include "media/image.h"
#include "tensor/tensor.h"

namespace sensorium::models {

enum class InputSense : uint8_t { text, image, video, audio, depth, thermal, imu };
inline constexpr std::array<InputSense, 7> kSenses = {InputSense::text,  InputSense::image, InputSense::video,
                                                      InputSense::audio, InputSense::depth, InputSense::thermal,
                                                      InputSense::imu};
std::string_view name_of(InputSense sense);
// By the name ("thermal"); none if there is no such sense.
std::optional<InputSense> find_sense(std::string_view name);

// One input. The member that the sense reads is set, the others are empty.
struct EmbedInput {
  InputSense sense = InputSense::text;
  std::string text;                           // text
  std::shared_ptr<const media::Image> image;  // image, thermal (grey values; colours become luma)
  std::filesystem::path video;                // a film's file: the model chooses its frames
  std::shared_ptr<const media::Audio> audio;  // audio, any rate and number of channels
  // depth: disparity [H, W], 0 where nothing was measured; imu: [6, steps], three axes of acceleration, then three of rotation.
  Tensor values;
  std::string name;  // for messages; may be ""
};

class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual std::vector<InputSense> senses() const = 0;
  // Numbers of a vector.
  virtual int64_t embedding_dim() const = 0;
  // f32 [inputs, dim], as the model's reference gives them: not always of unit length (ImageBind multiplies a sense's vectors by
  // its temperature). Throws Error: unsupported (a sense that the model lacks), invalid_data (names the input).
  virtual Tensor embed(std::span<const EmbedInput> inputs) const = 0;
  // What a softmax over `others` ([M, dim]) takes for each of `items` ([N, dim]); both as embed() gives them -> f32 [N, M].
  virtual Tensor compare(const Tensor& items, const Tensor& others) const = 0;
  // Inputs of different senses whose cosine is above this are of the same thing; none: the model does not say.
  virtual std::optional<double> same_cosine() const { return std::nullopt; }
};

// Throws Error(unsupported) that names the input, the sense, and what the model has.
void require_sense(const Embedder& embedder, const EmbedInput& input, const std::string& model);

}  // namespace sensorium::models
