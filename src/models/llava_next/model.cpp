#include "models/llava_next/model.h"

#include <numeric>

#include "media/geometry.h"
#include "media/resize.h"

namespace sensorium::models {
namespace {

// The class's defaults, for files that are silent.
std::vector<Extent> next_pinpoints() { return {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}; }
std::vector<Extent> onevision_pinpoints() {
  std::vector<Extent> pinpoints;
  for (int64_t height = 1; height <= 6; ++height) {
    for (int64_t width = 1; width <= 6; ++width) pinpoints.push_back({384 * height, 384 * width});
  }
  return pinpoints;
}

// "image_grid_pinpoints": [[height, width], ..], multiples of the tower's size.
std::vector<Extent> read_pinpoints(const Json& json, const std::string& where, int64_t size) {
  const bool onevision = json.at("model_type") == "llava_onevision";
  std::vector<Extent> pinpoints = onevision ? onevision_pinpoints() : next_pinpoints();
  if (json.contains("image_grid_pinpoints")) {
    pinpoints.clear();
    const Json& given = json.at("image_grid_pinpoints");
    require(given.is_array() && !given.empty(), ErrorKind::invalid_data,
            "{}: \"image_grid_pinpoints\" is {}, expected [[height, width], ..]", where, given.dump());
    for (const Json& pair : given) {
      require(pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() && pair[1].is_number_integer(),
              ErrorKind::invalid_data, "{}: \"image_grid_pinpoints\" holds {}, expected [height, width]", where,
              pair.dump());
      pinpoints.push_back({pair[0].get<int64_t>(), pair[1].get<int64_t>()});
    }
  }
  for (const Extent& p : pinpoints) {
    require(p.height > 0 && p.width > 0 && p.height % size == 0 && p.width % size == 0 && p.height <= 64 * size &&
                p.width <= 64 * size,
            ErrorKind::invalid_data, "{}: pinpoint {} x {} is no grid of {} pixels", where, p.height, p.width, size);
  }
  return pinpoints;
}

}  // namespace

LlavaNextModel::LlavaNextModel(const Checkpoint& checkpoint, DType compute, std::string family,
                               const modality::ImageProcessorConfig& processor_defaults)
    : LlavaModel(checkpoint, compute, std::move(family), processor_defaults),
      pinpoints_(read_pinpoints(checkpoint.config(), checkpoint.where(), config().vision.image_size)),
      rounding_(checkpoint.layout() == Checkpoint::Layout::huggingface ? Rounding::lifted : Rounding::down) {}

std::unique_ptr<LlavaNextModel> LlavaNextModel::load(const Checkpoint& checkpoint, DType compute) {
  std::unique_ptr<LlavaNextModel> model(new LlavaNextModel(checkpoint, compute, "llava_next"));
  model->load_weights(checkpoint);
  return model;
}

void LlavaNextModel::map_parameters(CheckpointWeights& weights) const {
  weights.map("newline", {"", "model."}, {{"", {"image_newline"}}});
}

void LlavaNextModel::add_parameters(nn::ParameterStore& store) {
  newline_ = store.add("newline", {config().decoder.dim}, nn::Init::normal, 0.02f);
}

Tensor LlavaNextModel::prepare(const media::Image& image) const {
  const int64_t size = config().vision.image_size;
  const auto side = static_cast<int>(size);
  const Extent picture{image.height, image.width};
  const Extent canvas = best_pinpoint(picture, pinpoints_), inner = fit_into(picture, canvas);
  const auto width = static_cast<int>(inner.width), height = static_cast<int>(inner.height);
  const int left = (static_cast<int>(canvas.width) - width) / 2, top = (static_cast<int>(canvas.height) - height) / 2;
  const media::Image padded = media::pad(media::resize(image, width, height, processor().filter), left, top,
                                         static_cast<int>(canvas.width) - width - left,
                                         static_cast<int>(canvas.height) - height - top, {0, 0, 0});
  std::vector<media::Image> views = {media::resize(image, side, side, processor().filter)};
  for (int y = 0; y < padded.height; y += side) {
    for (int x = 0; x < padded.width; x += side) views.push_back(media::crop(padded, x, y, side, side));
  }
  // The processor's own resizing and cropping change nothing at this size.
  const Tensor pixels_N3SS = Tensor::empty({static_cast<int64_t>(views.size()), 3, size, size});
  for (size_t i = 0; i < views.size(); ++i) {
    const auto view = static_cast<int64_t>(i);
    pixels_N3SS.slice(view, view + 1).copy_from(prepare_view(views[i], processor()));
  }
  return pixels_N3SS;
}

Tensor LlavaNextModel::pack(const Tensor& views_TC, int64_t width, int64_t height) const {
  return join_newlines(views_TC.slice(0, config().view_tokens()), join_tiles(views_TC, width, height));
}

LlavaNextModel::Shown LlavaNextModel::shown(int64_t width, int64_t height) const {
  const modality::VisionTransformerConfig& vision = config().vision;
  const int64_t per_view = config().view_tokens(), side = vision.grid();
  require(per_view == side * side, ErrorKind::unsupported,
          "tiles of {} tokens are no grid of {} x {}: the class token must be dropped", per_view, side, side);
  const Extent picture{height, width}, canvas = best_pinpoint(picture, pinpoints_);
  const Extent grid{canvas.height / vision.image_size * side, canvas.width / vision.image_size * side};
  return {grid, unpadded(grid, picture, rounding_)};
}

int64_t LlavaNextModel::picture_rows(int64_t /*views*/, int64_t width, int64_t height) const {
  const Window window = shown(width, height).window;
  return config().view_tokens() + window.rows() * (window.columns() + 1);
}

LlavaNextModel::Map LlavaNextModel::join_tiles(const Tensor& views_TC, int64_t width, int64_t height) const {
  const int64_t per_view = config().view_tokens(), side = config().vision.grid();
  const auto [grid, window] = shown(width, height);
  std::vector<int32_t> rows;
  for (int64_t y = window.top; y < window.bottom; ++y) {
    for (int64_t x = window.left; x < window.right; ++x) {
      const int64_t tile = y / side * (grid.width / side) + x / side;
      rows.push_back(static_cast<int32_t>((1 + tile) * per_view + y % side * side + x % side));
    }
  }
  return {ops::gather_rows(views_TC, Tensor::from(rows, {static_cast<int64_t>(rows.size())})),
          {window.rows(), window.columns()}};
}

Tensor LlavaNextModel::newline(DType dtype) const {
  return ops::cast(newline_.reshape({1, config().decoder.dim}), dtype);
}

Tensor LlavaNextModel::join_newlines(const Tensor& whole_TC, const Map& map) const {
  const Tensor all_TC = ops::concat_rows({whole_TC, map.rows_TC, newline(whole_TC.dtype())});
  const auto first = static_cast<int32_t>(whole_TC.dim(0)), last = static_cast<int32_t>(all_TC.dim(0)) - 1;
  std::vector<int32_t> rows(static_cast<size_t>(first));
  std::iota(rows.begin(), rows.end(), 0);
  int32_t next = first;
  for (int64_t y = 0; y < map.size.height; ++y) {
    for (int64_t x = 0; x < map.size.width; ++x) rows.push_back(next++);
    rows.push_back(last);
  }
  return ops::gather_rows(all_TC, Tensor::from(rows, {static_cast<int64_t>(rows.size())}));
}

std::unique_ptr<Model> load_llava_next(const Checkpoint& checkpoint, DType compute) {
  return LlavaNextModel::load(checkpoint, compute);
}

}  // namespace sensorium::models
