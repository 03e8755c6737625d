#include "models/llava_next/model.h"

#include "media/geometry.h"
#include "media/resize.h"
#include "models/checkpoint/folder.h"

namespace sensorium::models {
namespace {

// The class's default, for files that are silent.
std::vector<Extent> default_pinpoints() { return {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}; }

// "image_grid_pinpoints": [[height, width], ..], multiples of the tower's size.
std::vector<Extent> read_pinpoints(const Json& json, const std::string& where, int64_t size) {
  std::vector<Extent> pinpoints = default_pinpoints();
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

LlavaNextModel::LlavaNextModel(const std::filesystem::path& directory, DType compute, const Json& json)
    : LlavaModel(directory, compute, "llava_next", json),
      pinpoints_(
          read_pinpoints(without_nulls(json), (directory / "config.json").string(), config().vision.image_size)) {}

std::unique_ptr<LlavaNextModel> LlavaNextModel::load(const std::filesystem::path& directory, DType compute) {
  std::unique_ptr<LlavaNextModel> model(new LlavaNextModel(directory, compute, read_config_json(directory)));
  model->load_weights(directory);
  return model;
}

void LlavaNextModel::add_parameters(CheckpointWeights& weights, nn::ParameterStore& store) {
  weights.map("newline", {"", "model."}, {{"", {"image_newline"}}});
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
  const Tensor pixels_N3SS = Tensor::empty({static_cast<int64_t>(views.size()), 3, size, size});
  for (size_t i = 0; i < views.size(); ++i) {
    const auto view = static_cast<int64_t>(i);
    // The processor's own resizing and cropping change nothing at this size.
    const media::Image fitted = modality::fit_image(views[i], processor());
    require(fitted.width == side && fitted.height == side, ErrorKind::invalid_data,
            "the image processor makes {} x {} pixels of a view, the vision tower takes {} x {}", fitted.width,
            fitted.height, size, size);
    pixels_N3SS.slice(view, view + 1).reshape({3, size, size}).copy_from(modality::to_pixels(fitted, processor()));
  }
  return pixels_N3SS;
}

Tensor LlavaNextModel::pack(const Tensor& views_TC, int64_t width, int64_t height) const {
  const modality::VisionTransformerConfig& vision = config().vision;
  const int64_t per_view = config().view_tokens(), side = vision.grid();
  require(per_view == side * side, ErrorKind::unsupported,
          "tiles of {} tokens are no grid of {} x {}: the class token must be dropped", per_view, side, side);
  const Extent picture{height, width}, canvas = best_pinpoint(picture, pinpoints_);
  const Extent grid{canvas.height / vision.image_size * side, canvas.width / vision.image_size * side};
  const Window window = unpadded(grid, picture);
  // Rows of the result among those of the views and, behind them, the newline.
  const auto newline = static_cast<int32_t>(views_TC.dim(0));
  std::vector<int32_t> rows;
  for (int64_t t = 0; t < per_view; ++t) rows.push_back(static_cast<int32_t>(t));
  for (int64_t y = window.top; y < window.bottom; ++y) {
    for (int64_t x = window.left; x < window.right; ++x) {
      const int64_t tile = y / side * (grid.width / side) + x / side;
      rows.push_back(static_cast<int32_t>((1 + tile) * per_view + y % side * side + x % side));
    }
    rows.push_back(newline);
  }
  const Tensor all_TC =
      ops::concat_rows({views_TC, ops::cast(newline_.reshape({1, views_TC.dim(1)}), views_TC.dtype())});
  return ops::gather_rows(all_TC, Tensor::from(rows, {static_cast<int64_t>(rows.size())}));
}

std::unique_ptr<Model> load_llava_next(const std::filesystem::path& directory, DType compute) {
  return LlavaNextModel::load(directory, compute);
}

}  // namespace sensorium::models
