// A film without loss, made of pictures.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/child_process.h"

namespace sensorium::models {

// `frames`: "FOLDER/frame%d.png", counted from 0; two a second.
inline void write_lossless_film(const std::filesystem::path& frames, const std::filesystem::path& to) {
  ChildProcess process({"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-framerate", "2", "-i",
                        frames.string(), "-c:v", "ffv1", "-pix_fmt", "gbrp", to.string()},
                       {});
  (void)process.read_all(1000);
  EXPECT_EQ(process.wait(), 0) << process.complaint();
}

}  // namespace sensorium::models
