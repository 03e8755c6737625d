// ImageBind on the open data sets: random weights know nothing of them, and a projection that is made for their pictures everything.
// Legend: N pictures or labels, K features, C numbers of a vector.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/dataset.h"
#include "data/real_sets.h"
#include "eval/suite.h"
#include "models/changed_folder.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"

namespace sensorium::eval {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPictures = 12;  // fewer than the tiny model has features
const std::string kProjection = "modality_heads.vision.2.weight";

// The smallest w [C, K] with w x_n = y_n for the rows of x [N, K] and y [N, C]: y^T (x x^T)^-1 x, by elimination with pivots.
Tensor fit(const Tensor& x_NK, const Tensor& y_NC) {
  const auto n = static_cast<size_t>(x_NK.dim(0)), k = static_cast<size_t>(x_NK.dim(1)),
             c = static_cast<size_t>(y_NC.dim(1));
  const std::vector<float> x = x_NK.to_floats(), y = y_NC.to_floats();
  std::vector<std::vector<double>> rows(n, std::vector<double>(n + c));
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      for (size_t f = 0; f < k; ++f) rows[i][j] += double{x[i * k + f]} * x[j * k + f];
    }
    for (size_t f = 0; f < c; ++f) rows[i][n + f] = y[i * c + f];
  }
  for (size_t step = 0; step < n; ++step) {
    const auto pivot =
        std::max_element(rows.begin() + static_cast<int64_t>(step), rows.end(),
                         [&](const auto& a, const auto& b) { return std::abs(a[step]) < std::abs(b[step]); });
    std::swap(rows[step], *pivot);
    for (size_t i = 0; i < n; ++i) {
      if (i == step) continue;
      const double factor = rows[i][step] / rows[step][step];
      for (size_t j = step; j < n + c; ++j) rows[i][j] -= factor * rows[step][j];
    }
  }
  const Tensor w_CK = Tensor::zeros({y_NC.dim(1), x_NK.dim(1)});
  for (size_t i = 0; i < n; ++i) {
    for (size_t a = 0; a < c; ++a) {
      for (size_t f = 0; f < k; ++f)
        w_CK.data<float>()[a * k + f] += static_cast<float>(rows[i][n + a] / rows[i][i] * x[i * k + f]);
    }
  }
  return w_CK;
}

class ImagebindSets : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(data::real_sets())) GTEST_SKIP() << "no data sets at " << data::real_sets();
  }
  static std::map<std::string, double> metrics(const fs::path& model, const std::string& set, const std::string& task,
                                               int64_t limit = 0) {
    EvalOptions options{.data = data::real_sets() / set / "test.jsonl", .task = task, .limit = limit};
    options.bootstrap.resamples = 10;
    const EvalReport report = evaluate(*models::load_model(model, DType::f32), "imagebind", options);
    std::map<std::string, double> result;
    for (const auto& [name, value] : report.results.at(0).metrics) result[name] = value.value;
    return result;
  }
};

TEST_F(ImagebindSets, RandomWeightsAreAtChance) {
  const fs::path model = models::golden_path("imagebind");
  // Whatever little a random tower sees: far from a half of six materials, ten sounds and five motions.
  EXPECT_LT(metrics(model, "trashnet", "zero_shot").at("accuracy"), 0.35);
  EXPECT_LT(metrics(model, "esc10", "zero_shot", 40).at("accuracy"), 0.3);
  EXPECT_LT(metrics(model, "imu_activity", "zero_shot", 60).at("accuracy"), 0.5);
  EXPECT_LT(metrics(model, "esc10", "retrieval", 40).at("recall@1"), 0.35);
  EXPECT_LT(metrics(model, "caltech101", "retrieval", 60).at("recall@1"), 0.2);
}

TEST_F(ImagebindSets, ARiggedProjectionIsAlwaysRight) {
  const NoGrad no_grad;
  const fs::path set = data::real_sets() / "trashnet/test.jsonl";
  const std::unique_ptr<data::Dataset> dataset = data::open_dataset(set);
  std::vector<std::string> labels;
  for (int64_t i = 0; i < dataset->size(); ++i) labels.push_back(dataset->get(i).label);
  std::vector<std::string> kinds = labels;
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());

  // First a projection that hands out the features as they are.
  const models::ChangedFolder changed("imagebind");
  const auto project = [&](const Tensor& w_CK) {
    changed.rewrite([&](io::NamedTensor& tensor) {
      if (tensor.name == kProjection) tensor.tensor = w_CK;
    });
  };
  const Shape shape = io::SafetensorsFile::open(changed.path() / "model.safetensors").tensor(kProjection).shape();
  ASSERT_LE(shape[1], shape[0]);
  const Tensor plain = Tensor::zeros(shape);
  for (int64_t i = 0; i < shape[1]; ++i) plain.data<float>()[i * shape[1] + i] = 1;
  project(plain);
  const auto bare = models::load_model(changed.path(), DType::f32);
  std::vector<models::EmbedInput> pictures;
  for (int64_t i = 0; i < kPictures; ++i)
    pictures.push_back(models::load_input(dataset->get(i).media.at(0).value, models::InputSense::image));
  const Tensor features_NK = ops::slice_columns(bare->embedder()->embed(pictures), 0, shape[1]);

  // Of each label a vector that is at right angles to those of all others; then one projection from features to labels.
  const Tensor labels_NC =
      models::label_vectors(*bare->embedder(), kinds, models::prompt_templates(models::InputSense::image));
  const auto count = static_cast<int64_t>(kinds.size());
  const Tensor one_of = Tensor::zeros({count, count});
  for (int64_t i = 0; i < count; ++i) one_of.data<float>()[i * count + i] = 1;
  const Tensor own_NC = fit(labels_NC, one_of);
  std::vector<int32_t> wanted;
  for (int64_t i = 0; i < kPictures; ++i) {
    const auto kind = std::find(kinds.begin(), kinds.end(), labels[static_cast<size_t>(i)]);
    wanted.push_back(static_cast<int32_t>(kind - kinds.begin()));
  }
  project(fit(features_NK, ops::gather_rows(own_NC, Tensor::from(wanted, {kPictures}))));
  EXPECT_EQ(metrics(changed.path(), "trashnet", "zero_shot", kPictures).at("accuracy"), 1.0);
  EXPECT_LT(metrics(models::golden_path("imagebind"), "trashnet", "zero_shot", kPictures).at("accuracy"), 0.6);
}

}  // namespace
}  // namespace sensorium::eval
