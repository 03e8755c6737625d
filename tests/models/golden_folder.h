// Folders of tests/golden/models: a tiny checkpoint and what transformers computes with it (tools/golden/models_families.py).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "media/decode.h"
#include "models/model.h"

namespace sensorium::models {

inline std::filesystem::path golden_path(const std::string& family) {
  return std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models" / family;
}

class GoldenFolder {
 public:
  explicit GoldenFolder(const std::string& family)
      : path_(golden_path(family)), expected_(io::SafetensorsFile::open(path_ / "expected.safetensors")) {}

  const std::filesystem::path& path() const { return path_; }
  Tensor expected(const std::string& name) const { return expected_.tensor(name); }
  std::vector<int32_t> ids(const std::string& name) const {
    const Tensor tensor = expected(name);
    return {tensor.data<int32_t>(), tensor.data<int32_t>() + tensor.elements()};
  }
  std::shared_ptr<const media::Image> picture(int index) const {
    return std::make_shared<media::Image>(media::load_image(path_ / fmt::format("picture{}.png", index)));
  }

 private:
  std::filesystem::path path_;
  io::SafetensorsFile expected_;
};

// Every element within `tolerance` of the largest expected one.
inline void expect_close(const Tensor& actual, const Tensor& expected, double tolerance = 1e-4) {
  ASSERT_EQ(actual.elements(), expected.elements()) << actual.shape().str() << " and " << expected.shape().str();
  const std::vector<float> a = actual.to_floats(), e = expected.to_floats();
  double most = 0, worst = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(e[i])));
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - e[i]));
  }
  EXPECT_LE(worst, tolerance * most);
  ::testing::Test::RecordProperty("worst_relative", fmt::format("{:.2e}", worst / most));
}

// The last row of [T, V] as a tensor.
inline Tensor last_row(const Tensor& logits_TV) { return logits_TV.slice(logits_TV.dim(0) - 1, logits_TV.dim(0)); }

inline Tensor as_tensor(std::span<const float> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}

inline int32_t argmax(std::span<const float> values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// The session's greedy continuation is `tokens`.
inline void expect_continuation(ChatSession& session, const std::vector<int32_t>& tokens) {
  std::vector<int32_t> chosen;
  for (size_t i = 0; i < tokens.size(); ++i) {
    chosen.push_back(argmax(session.logits()));
    if (chosen.back() != tokens[i]) break;
    session.accept(chosen.back());
  }
  EXPECT_EQ(chosen, tokens);
}

inline ChatMessage user(std::vector<ChatPart> parts) { return {.role = "user", .parts = std::move(parts)}; }
inline const std::string kQuestion = "How many dogs are there?";

}  // namespace sensorium::models
