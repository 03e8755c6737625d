// LLaVA-NeXT (LLaVA 1.6): pictures are read whole and in tiles; every row of the tiles' features ends in a learned token.
#pragma once

#include <memory>
#include <vector>

#include "models/llava/model.h"
#include "models/llava_next/anyres.h"

namespace sensorium::models {

class LlavaNextModel : public LlavaModel {
 public:
  static std::unique_ptr<LlavaNextModel> load(const Checkpoint& checkpoint, DType compute);

  // The whole picture squeezed to the tower's size, then the tiles of its grid, row by row.
  Tensor prepare(const media::Image& image) const override;
  int64_t picture_rows(int64_t views, int64_t width, int64_t height) const override;

 protected:
  LlavaNextModel(const Checkpoint& checkpoint, DType compute, std::string family,
                 const modality::ImageProcessorConfig& processor_defaults = {});
  void map_parameters(CheckpointWeights& weights) const override;
  void add_parameters(nn::ParameterStore& store) override;
  Tensor pack(const Tensor& views_TC, int64_t width, int64_t height) const override;

  // Of the grid that the tiles of a picture of width x height pixels make, the part that shows the picture.
  struct Shown {
    Extent grid;
    Window window;
  };
  Shown shown(int64_t width, int64_t height) const;
  // The tiles' rows that show the picture, row by row of their grid.
  struct Map {
    Tensor rows_TC;
    Extent size;
  };
  Map join_tiles(const Tensor& views_TC, int64_t width, int64_t height) const;
  // The whole picture's rows, then the map's with a newline behind each row of the grid.
  Tensor join_newlines(const Tensor& whole_TC, const Map& map) const;
  Tensor newline(DType dtype) const;  // [1, dim]

 private:
  std::vector<Extent> pinpoints_;  // pixels
  Rounding rounding_;
  Tensor newline_;  // [decoder dim]
};

std::unique_ptr<Model> load_llava_next(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
