// Preparing pictures as a published checkpoint asks for it: the preprocessor_config.json of Hugging Face's layout. The
// reference is transformers 5 with its Pillow backend, to the bit: resampling on 8-bit pixels, then f32.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "media/image.h"
#include "media/resize.h"
#include "tensor/tensor.h"

namespace sensorium::modality {

// Pixels. `shortest_edge` (if not 0) keeps the aspect ratio; otherwise both sides are given.
struct TargetSize {
  int64_t shortest_edge = 0, width = 0, height = 0;
};

// Where the middle of a picture lies that has an odd number of pixels more than the crop.
enum class CropMiddle : uint8_t {
  floor,  // transformers
  even,   // torchvision: of the two places the even one
};

// The defaults are CLIP's.
struct ImageProcessorConfig {
  bool pads_to_square = false;  // first of all: the shorter side gets borders of the mean colour (LLaVA 1.5)
  bool resizes = true;
  TargetSize size{.shortest_edge = 224};
  media::ResizeFilter filter = media::ResizeFilter::bicubic;
  bool crops = true;  // the middle of the picture; what is outside of it is black
  int64_t crop_width = 224, crop_height = 224;
  CropMiddle crop_middle = CropMiddle::floor;
  bool rescales = true;
  double rescale_factor = 1.0 / 255.0;
  bool normalizes = true;
  std::array<float, 3> mean = {0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> stddev = {0.26862954f, 0.26130258f, 0.27577711f};

  static ImageProcessorConfig siglip();
  // Keys that the file lacks stay as in `defaults`; sizes may be a number or an object. Throws Error that names the key:
  // invalid_data, unsupported (a filter that media::resize lacks).
  static ImageProcessorConfig from_json(const Json& json, const std::string& where, ImageProcessorConfig defaults);
};

// The object that describes the image processor of a model folder: preprocessor_config.json, or the member
// "image_processor" of processor_config.json. Throws Error(not_found).
struct LocatedJson {
  Json json;
  std::string where;  // for messages
};
LocatedJson read_processor_json(const std::filesystem::path& directory);

// Pads, resizes and crops: RGB or grey in, the same out (padded: RGB).
media::Image fit_image(const media::Image& image, const ImageProcessorConfig& config);
// Scales and normalises: -> f32 [3, height, width]; grey pictures have three equal channels.
Tensor to_pixels(const media::Image& image, const ImageProcessorConfig& config);

}  // namespace sensorium::modality
