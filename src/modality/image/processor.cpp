#include "modality/image/processor.h"

#include <algorithm>
#include <cmath>

#include "media/color.h"
#include "media/geometry.h"

namespace sensorium::modality {
namespace {

constexpr int64_t kMaxSide = 1 << 14;

// Pillow's numbers of its filters (Image.Resampling).
media::ResizeFilter read_filter(ConfigReader& reader, const std::string& where) {
  const int64_t number = reader.get_int("resample", 0, 5);
  switch (number) {
    case 0:
      return media::ResizeFilter::nearest;
    case 1:
      return media::ResizeFilter::lanczos;
    case 2:
      return media::ResizeFilter::bilinear;
    case 3:
      return media::ResizeFilter::bicubic;
    case 4:
      return media::ResizeFilter::box;
    default:
      fail(ErrorKind::unsupported, "{}: \"resample\" is {} (Hamming), which this program lacks", where, number);
  }
}

// A number is the shortest edge; an object has "shortest_edge", or "height" and "width".
TargetSize read_size(ConfigReader& reader, const char* key, const std::string& where) {
  const Json& value = reader.child(key);
  if (value.is_number_integer()) return {.shortest_edge = reader.get_int(key, 1, kMaxSide)};
  ConfigReader object(value, where + ": " + key);
  if (object.has("shortest_edge")) return {.shortest_edge = object.get_int("shortest_edge", 1, kMaxSide)};
  return {.width = object.get_int("width", 1, kMaxSide), .height = object.get_int("height", 1, kMaxSide)};
}

void read_channels(ConfigReader& reader, const char* key, std::array<float, 3>& out, const std::string& where) {
  if (!reader.has(key)) return;
  const std::vector<double> values = reader.get<std::vector<double>>(key);
  require(values.size() == 3, ErrorKind::invalid_data, "{}: \"{}\" has {} numbers, expected 3", where, key,
          values.size());
  std::transform(values.begin(), values.end(), out.begin(), [](double value) { return static_cast<float>(value); });
}

// In the middle of a square of the mean colour; an odd border is wider on the right and below.
media::Image pad_to_square(const media::Image& image, const std::array<float, 3>& mean) {
  if (image.width == image.height) return image;
  const auto level = [](float value) { return static_cast<uint8_t>(std::clamp(value * 255.0f, 0.0f, 255.0f)); };
  const int side = std::max(image.width, image.height), left = (side - image.width) / 2,
            top = (side - image.height) / 2;
  return media::pad(image.channels == 3 ? image : media::to_rgb(image), left, top, side - image.width - left,
                    side - image.height - top, {level(mean[0]), level(mean[1]), level(mean[2])});
}

}  // namespace

ImageProcessorConfig ImageProcessorConfig::siglip() {
  return {
      .size = {.width = 224, .height = 224}, .crops = false, .mean = {0.5f, 0.5f, 0.5f}, .stddev = {0.5f, 0.5f, 0.5f}};
}

ImageProcessorConfig ImageProcessorConfig::from_json(const Json& json, const std::string& where,
                                                     ImageProcessorConfig config) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  // The key has another meaning for the processors of other classes.
  if (reader.get_or<std::string>("image_processor_type", "").starts_with("LlavaImageProcessor")) {
    config.pads_to_square = reader.get_or<bool>("do_pad", false);
  }
  config.resizes = reader.get_or<bool>("do_resize", config.resizes);
  if (reader.has("size")) config.size = read_size(reader, "size", where);
  if (reader.has("resample")) config.filter = read_filter(reader, where);
  config.crops = reader.get_or<bool>("do_center_crop", config.crops);
  if (reader.has("crop_size")) {
    const TargetSize crop = read_size(reader, "crop_size", where);
    config.crop_width = crop.shortest_edge != 0 ? crop.shortest_edge : crop.width;
    config.crop_height = crop.shortest_edge != 0 ? crop.shortest_edge : crop.height;
  }
  config.rescales = reader.get_or<bool>("do_rescale", config.rescales);
  config.rescale_factor = reader.get_or<double>("rescale_factor", config.rescale_factor);
  config.normalizes = reader.get_or<bool>("do_normalize", config.normalizes);
  read_channels(reader, "image_mean", config.mean, where);
  read_channels(reader, "image_std", config.stddev, where);
  for (const float value : config.stddev) {
    require(value > 0, ErrorKind::invalid_data, "{}: \"image_std\" holds {}, expected positive numbers", where, value);
  }
  return config;
}

LocatedJson read_processor_json(const std::filesystem::path& directory) {
  const std::filesystem::path own = directory / "preprocessor_config.json",
                              shared = directory / "processor_config.json";
  if (std::filesystem::exists(own)) return {read_json_file(own), own.string()};
  if (std::filesystem::exists(shared)) {
    const Json json = read_json_file(shared);
    if (json.is_object() && json.contains("image_processor")) {
      return {json.at("image_processor"), shared.string() + ": image_processor"};
    }
  }
  fail(ErrorKind::not_found,
       "{}: neither preprocessor_config.json nor an \"image_processor\" in processor_config.json says how pictures are "
       "prepared",
       directory.string());
}

media::Image fit_image(const media::Image& image, const ImageProcessorConfig& config) {
  require(!image.empty(), ErrorKind::shape, "the picture is empty");
  if (config.pads_to_square) {
    ImageProcessorConfig rest = config;
    rest.pads_to_square = false;
    return fit_image(pad_to_square(image, config.mean), rest);
  }
  media::Image result = image;
  if (config.resizes) {
    int64_t width = config.size.width, height = config.size.height;
    if (config.size.shortest_edge != 0) {
      // The reference divides in floating point and cuts off.
      const double edge = static_cast<double>(config.size.shortest_edge);
      const bool tall = image.width <= image.height;
      const auto longer =
          static_cast<int64_t>(edge * std::max(image.width, image.height) / std::min(image.width, image.height));
      width = tall ? config.size.shortest_edge : longer;
      height = tall ? longer : config.size.shortest_edge;
    }
    require(width <= kMaxSide && height <= kMaxSide, ErrorKind::limit,
            "a picture of {} x {} pixels would become {} x {}; at most {} are possible", image.width, image.height,
            width, height, +kMaxSide);
    result = media::resize(result, static_cast<int>(width), static_cast<int>(height), config.filter);
  }
  if (!config.crops) return result;
  const auto crop_width = static_cast<int>(config.crop_width), crop_height = static_cast<int>(config.crop_height);
  const int missing_columns = std::max(0, crop_width - result.width),
            missing_rows = std::max(0, crop_height - result.height);
  if (missing_columns > 0 || missing_rows > 0) {
    // An odd border is wider on the left and on top.
    const int left = (missing_columns + 1) / 2, top = (missing_rows + 1) / 2;
    result = media::pad(result, left, top, missing_columns - left, missing_rows - top, {0, 0, 0});
  }
  const auto middle = [&](int more) {
    const int half = more / 2;
    return config.crop_middle == CropMiddle::even && more % 2 != 0 ? half + half % 2 : half;
  };
  return media::crop(result, middle(result.width - crop_width), middle(result.height - crop_height), crop_width,
                     crop_height);
}

Tensor to_pixels(const media::Image& image, const ImageProcessorConfig& config) {
  const int64_t positions = int64_t{image.width} * image.height;
  const Tensor pixels = Tensor::empty({3, image.height, image.width});
  for (size_t c = 0; c < 3; ++c) {
    // A channel has 256 possible values.
    std::array<float, 256> value_of;
    for (size_t value = 0; value < value_of.size(); ++value) {
      const auto given = static_cast<double>(value);
      auto scaled = static_cast<float>(config.rescales ? given * config.rescale_factor : given);
      if (config.normalizes) scaled = (scaled - config.mean[c]) / config.stddev[c];
      value_of[value] = scaled;
    }
    float* out = pixels.data<float>() + static_cast<int64_t>(c) * positions;
    const auto step = static_cast<size_t>(image.channels);
    const size_t channel = image.channels == 3 ? c : 0;
    for (int64_t p = 0; p < positions; ++p) out[p] = value_of[image.pixels[static_cast<size_t>(p) * step + channel]];
  }
  return pixels;
}

}  // namespace sensorium::modality
