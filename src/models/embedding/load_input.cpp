#include "models/embedding/load_input.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "io/npy.h"
#include "media/decode.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostTextBytes = size_t{1} << 20;
constexpr int64_t kImuChannels = 6;
constexpr float kNearest_m = 0.01f, kFarthest_m = 50.0f;

struct Extension {
  std::string_view end;
  InputSense sense;
};
constexpr std::array<Extension, 22> kExtensions = {{
    {".jpg", InputSense::image},  {".jpeg", InputSense::image}, {".png", InputSense::image},
    {".webp", InputSense::image}, {".wav", InputSense::audio},  {".flac", InputSense::audio},
    {".mp3", InputSense::audio},  {".ogg", InputSense::audio},  {".oga", InputSense::audio},
    {".opus", InputSense::audio}, {".m4a", InputSense::audio},  {".aac", InputSense::audio},
    {".mp4", InputSense::video},  {".mkv", InputSense::video},  {".webm", InputSense::video},
    {".mov", InputSense::video},  {".avi", InputSense::video},  {".m4v", InputSense::video},
    {".mpg", InputSense::video},  {".mpeg", InputSense::video}, {".txt", InputSense::text},
    {".md", InputSense::text},
}};

std::string extension_of(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end;
}

DepthCamera camera_of(const fs::path& path, const std::optional<DepthCamera>& given) {
  if (given) return *given;
  const fs::path beside = path.parent_path() / "camera.json";
  std::error_code code;
  require(fs::exists(beside, code), ErrorKind::usage,
          "{}: a depth picture needs its camera: give --camera FILE, or put a camera.json beside it, for example "
          "{{\"focal_px\": 570.3, \"baseline_m\": 0.075, \"units_per_m\": 1000}}",
          path.string());
  return DepthCamera::read(beside);
}

// -> disparity [H, W].
Tensor load_depth(const fs::path& path, const std::optional<DepthCamera>& given) {
  const DepthCamera camera = camera_of(path, given);
  Tensor metres;
  if (extension_of(path) == ".npy") {
    metres = io::read_npy(path).to(DType::f32);
    require(metres.rank() == 2 && metres.elements() > 0, ErrorKind::invalid_data,
            "{}: an array {}, expected distances [height, width]", path.string(), metres.shape());
  } else {
    const std::string bytes = read_file(path);
    const auto decoded = media::decode_grey16(media::as_byte_span(bytes));
    if (!decoded) throw decoded.error().with_context(path.string());
    const media::Image16& image = decoded.value();
    metres = Tensor::empty({image.height, image.width});
    std::transform(image.pixels.begin(), image.pixels.end(), metres.data<float>(), [&](uint16_t value) {
      const int turned = value >> camera.rotated_bits | value << (16 - camera.rotated_bits);
      return static_cast<float>((turned & 0xFFFF) / camera.units_per_m);
    });
  }
  const Tensor disparity = Tensor::empty(metres.shape());
  const double product = camera.baseline_m * camera.focal_px;
  std::ranges::transform(metres.span<float>(), disparity.data<float>(), [&](float distance) {
    if (!(distance > 0)) return 0.0f;
    return static_cast<float>(product / static_cast<double>(std::clamp(distance, kNearest_m, kFarthest_m)));
  });
  return disparity;
}

// One line of a .csv; empty if it holds something that is no number.
std::vector<float> read_numbers(std::string_view line) {
  std::vector<float> numbers;
  while (!line.empty()) {
    const size_t end = line.find_first_of(",; \t");
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    if (word.empty()) continue;
    float value = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || rest != word.data() + word.size() || !std::isfinite(value)) return {};
    numbers.push_back(value);
  }
  return numbers;
}

std::vector<float> read_csv(const fs::path& path) {
  const std::string text = read_file(path);
  std::vector<float> values;
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    number += 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::vector<float> row = read_numbers(line);
    if (row.empty() && number == 1) continue;  // names of the columns
    require(row.size() == kImuChannels, ErrorKind::invalid_data,
            "{}:{}: expected 6 numbers: acceleration x y z, rotation x y z", path.string(), number);
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

// -> [6, steps]
Tensor load_imu(const fs::path& path) {
  Tensor steps;  // [steps, 6]
  if (extension_of(path) == ".npy") {
    const Tensor array = io::read_npy(path).to(DType::f32);
    require(array.rank() == 2 && (array.dim(0) == kImuChannels || array.dim(1) == kImuChannels),
            ErrorKind::invalid_data, "{}: an array {}, expected [6, steps] or [steps, 6]", path.string(),
            array.shape());
    if (array.dim(0) == kImuChannels) return array;
    steps = array;
  } else {
    const std::vector<float> values = read_csv(path);
    require(values.size() > kImuChannels, ErrorKind::invalid_data, "{}: a recording needs two steps at least",
            path.string());
    steps = Tensor::from(values, {static_cast<int64_t>(values.size()) / kImuChannels, kImuChannels});
  }
  const Tensor turned = Tensor::empty({kImuChannels, steps.dim(0)});
  for (int64_t t = 0; t < steps.dim(0); ++t) {
    for (int64_t c = 0; c < kImuChannels; ++c) {
      turned.data<float>()[c * steps.dim(0) + t] = steps.data<float>()[t * kImuChannels + c];
    }
  }
  return turned;
}

}  // namespace

DepthCamera DepthCamera::read(const fs::path& path) {
  const Json json = read_json_file(path);
  ConfigReader reader(json, path.string());
  DepthCamera camera;
  camera.focal_px = reader.get<double>("focal_px");
  camera.baseline_m = reader.get<double>("baseline_m");
  camera.units_per_m = reader.get_or<double>("units_per_m", camera.units_per_m);
  camera.rotated_bits = static_cast<int>(reader.get_int_or("rotated_bits", 0, 0, 15));
  reader.finish();
  require(camera.focal_px > 0 && camera.baseline_m > 0 && camera.units_per_m > 0, ErrorKind::invalid_data,
          "{}: \"focal_px\", \"baseline_m\" and \"units_per_m\" are positive numbers", path.string());
  return camera;
}

std::optional<InputSense> sense_of_file(const fs::path& path) {
  const auto* found = std::ranges::find(kExtensions, extension_of(path), &Extension::end);
  return found == kExtensions.end() ? std::nullopt : std::optional(found->sense);
}

EmbedInput load_input(const fs::path& path, InputSense sense, const std::optional<DepthCamera>& camera) {
  EmbedInput input{.sense = sense, .name = path.string()};
  switch (sense) {
    case InputSense::text:
      input.text = read_file(path, kMostTextBytes);
      break;
    case InputSense::image:
    case InputSense::thermal:
      input.image = std::make_shared<media::Image>(media::load_image(path));
      break;
    case InputSense::video:
      require(fs::exists(path), ErrorKind::not_found, "{}: no such file", path.string());
      input.video = path;
      break;
    case InputSense::audio:
      input.audio = std::make_shared<media::Audio>(media::load_audio(path));
      break;
    case InputSense::depth:
      input.values = load_depth(path, camera);
      break;
    case InputSense::imu:
      input.values = load_imu(path);
      break;
  }
  return input;
}

}  // namespace sensorium::models
