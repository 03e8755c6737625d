// LLaVA-OneVision (Li 2024): one picture is read whole and in tiles, whose map is shrunk if it is large; several pictures are
// read whole; the frames of a video are read whole, with fewer rows each.
#pragma once

#include <memory>
#include <span>

#include "models/llava_next/model.h"

namespace sensorium::models {

class LlavaOnevisionModel : public LlavaNextModel {
 public:
  static std::unique_ptr<LlavaOnevisionModel> load(const Checkpoint& checkpoint, DType compute);

  // In a square of the mean colour.
  Tensor prepare_whole(const media::Image& image) const override;
  bool reads_whole(size_t pictures) const override { return pictures > 1; }
  int64_t picture_rows(int64_t views, int64_t width, int64_t height) const override;
  // Each frame's rows, bilinearly halved along both sides (27 x 27 -> 14 x 14), frame by frame, then one newline:
  // [frames * 14 * 14 + 1, decoder dim].
  Tensor read_video(std::span<const std::shared_ptr<const media::Image>> frames) const override;

 protected:
  Tensor pack(const Tensor& views_TC, int64_t width, int64_t height) const override;

 private:
  LlavaOnevisionModel(const Checkpoint& checkpoint, DType compute);
  // What a map of this size is shrunk to.
  Extent limited(const Extent& size) const;

  int64_t most_views_ = 9;  // as many rows as so many views have are not shrunk
};

std::unique_ptr<Model> load_llava_onevision(const Checkpoint& checkpoint, DType compute);
// The family's read_film: the frames numbered i * n / 32 of n, all of a film of fewer; it hears nothing. Source: sample_frames() of
// the video processors of transformers, with the 32 frames of the model's own evaluation (section 3 of the paper).
std::vector<ChatPart> read_film_frames(const std::filesystem::path& path, const media::FfmpegLimits& limits);
// Its read_frames: those of the same numbers.
std::vector<ChatPart> read_picture_frames(std::span<const std::string> pictures);

}  // namespace sensorium::models
