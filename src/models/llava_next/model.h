// LLaVA-NeXT (LLaVA 1.6): pictures are read whole and in tiles; every row of the tiles' features ends in a learned token.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "models/llava/model.h"
#include "models/llava_next/anyres.h"

namespace sensorium::models {

class LlavaNextModel : public LlavaModel {
 public:
  static std::unique_ptr<LlavaNextModel> load(const std::filesystem::path& directory, DType compute);

  // The whole picture squeezed to the tower's size, then the tiles of its grid, row by row.
  Tensor prepare(const media::Image& image) const override;

 protected:
  void add_parameters(CheckpointWeights& weights, nn::ParameterStore& store) override;
  // The whole picture's rows; then the tiles' rows in the order of the picture, without the borders, each row of the grid
  // with the newline behind it.
  Tensor pack(const Tensor& views_TC, int64_t width, int64_t height) const override;

 private:
  LlavaNextModel(const std::filesystem::path& directory, DType compute, const Json& json);

  std::vector<Extent> pinpoints_;  // pixels
  Tensor newline_;                 // [decoder dim]
};

std::unique_ptr<Model> load_llava_next(const std::filesystem::path& directory, DType compute);

}  // namespace sensorium::models
