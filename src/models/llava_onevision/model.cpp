#include "models/llava_onevision/model.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "media/decode.h"
#include "media/video.h"
#include "modality/image/resize_map.h"

namespace sensorium::models {
namespace {

// Of the `all` frames of a film.
std::vector<int64_t> watched_frames(int64_t all) {
  constexpr int64_t kMostFrames = 32;
  std::vector<int64_t> numbers;
  const int64_t count = std::min(all, kMostFrames);
  for (int64_t i = 0; i < count; ++i) numbers.push_back(i * all / count);
  return numbers;
}

// "anyres_max_9" -> 9
int64_t read_most_views(const Checkpoint& checkpoint) {
  constexpr std::string_view kPrefix = "anyres_max_";
  const auto ratio = ConfigReader(checkpoint.config(), checkpoint.where())
                         .get_or<std::string>("vision_aspect_ratio", std::string(kPrefix) + "9");
  int64_t views = 0;
  const char* end = ratio.data() + ratio.size();
  const bool fits = ratio.starts_with(kPrefix) &&
                    std::from_chars(ratio.data() + kPrefix.size(), end, views).ptr == end && views > 0 && views < 1000;
  require(fits, ErrorKind::unsupported,
          "{}: \"vision_aspect_ratio\" is \"{}\", expected anyres_max_9 or another number", checkpoint.where(), ratio);
  return views;
}

}  // namespace

LlavaOnevisionModel::LlavaOnevisionModel(const Checkpoint& checkpoint, DType compute)
    : LlavaNextModel(checkpoint, compute, "llava_onevision", {.size = {.width = 384, .height = 384}, .crops = false}),
      most_views_(read_most_views(checkpoint)) {}

std::unique_ptr<LlavaOnevisionModel> LlavaOnevisionModel::load(const Checkpoint& checkpoint, DType compute) {
  std::unique_ptr<LlavaOnevisionModel> model(new LlavaOnevisionModel(checkpoint, compute));
  model->load_weights(checkpoint);
  return model;
}

Tensor LlavaOnevisionModel::prepare_whole(const media::Image& image) const {
  modality::ImageProcessorConfig square = processor();
  square.pads_to_square = true;
  return prepare_view(image, square);
}

Extent LlavaOnevisionModel::limited(const Extent& size) const {
  const auto rows = static_cast<double>(size.height), columns = static_cast<double>(size.width);
  const double ratio = std::sqrt(rows * columns / static_cast<double>(most_views_ * config().view_tokens()));
  if (ratio <= 1.1) return size;
  return {static_cast<int64_t>(std::floor(rows / ratio)), static_cast<int64_t>(std::floor(columns / ratio))};
}

int64_t LlavaOnevisionModel::picture_rows(int64_t views, int64_t width, int64_t height) const {
  const int64_t per_view = config().view_tokens();
  if (views == 1) return per_view + 1;
  const Window window = shown(width, height).window;
  const Extent size = limited({window.rows(), window.columns()});
  return per_view + size.height * (size.width + 1);
}

Tensor LlavaOnevisionModel::pack(const Tensor& views_TC, int64_t width, int64_t height) const {
  const int64_t per_view = config().view_tokens();
  const Tensor whole_TC = views_TC.slice(0, per_view);
  if (views_TC.dim(0) == per_view) return ops::concat_rows({whole_TC, newline(whole_TC.dtype())});
  Map map = join_tiles(views_TC, width, height);
  if (const Extent size = limited(map.size); size.height != map.size.height || size.width != map.size.width) {
    map = {modality::resize_map(map.rows_TC, map.size, size), size};
  }
  return join_newlines(whole_TC, map);
}

Tensor LlavaOnevisionModel::read_video(std::span<const std::shared_ptr<const media::Image>> frames) const {
  const NoGrad no_grad;
  require(!frames.empty(), ErrorKind::usage, "the video has no frames");
  const int64_t side = config().vision.grid(), half = (side + 1) / 2, per_view = config().view_tokens();
  std::vector<Tensor> parts;
  for (const auto& frame : frames) {
    const Tensor rows_TC = project(prepare_view(*frame, processor()));
    require(rows_TC.dim(0) == per_view && per_view == side * side, ErrorKind::unsupported,
            "frames of {} tokens are no grid of {} x {}", per_view, side, side);
    parts.push_back(modality::resize_map(rows_TC, {side, side}, {half, half}));
  }
  parts.push_back(newline(parts[0].dtype()));
  return ops::concat_rows(parts);
}

std::vector<ChatPart> read_film_frames(const std::filesystem::path& path, const media::FfmpegLimits& limits) {
  ChatPart part;
  for (media::Image& frame : media::load_frames(path, watched_frames(media::count_frames(path, limits).frames), limits))
    part.frames.push_back(std::make_shared<const media::Image>(std::move(frame)));
  return {std::move(part)};
}

std::vector<ChatPart> read_picture_frames(std::span<const std::string> pictures) {
  ChatPart part;
  for (const int64_t number : watched_frames(static_cast<int64_t>(pictures.size()))) {
    part.frames.push_back(
        std::make_shared<const media::Image>(media::load_image(pictures[static_cast<size_t>(number)])));
  }
  return {std::move(part)};
}

std::unique_ptr<Model> load_llava_onevision(const Checkpoint& checkpoint, DType compute) {
  return LlavaOnevisionModel::load(checkpoint, compute);
}

}  // namespace sensorium::models
