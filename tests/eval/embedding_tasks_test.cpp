// Zero-shot classification and retrieval: chance for a model that knows nothing, everything right for one that is told.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>

#include "base/file.h"
#include "base/sha256.h"
#include "eval/suite.h"
#include "media/encode.h"
#include "models/embedding/embedding_model.h"
#include "ops/ops.h"
#include "temporary_folder.h"

namespace sensorium::eval {
namespace {

namespace fs = std::filesystem;
using models::EmbedInput;
using models::InputSense;

constexpr int64_t kDim = 64;
constexpr int kClasses = 8, kPerClass = 10;

// Embeds an input as the random vector of a key: its own, or what the test says it means.
class KeyedModel : public models::EmbeddingModel {
 public:
  using Key = std::function<std::string(const EmbedInput& input)>;
  explicit KeyedModel(Key key) : EmbeddingModel("keyed", "keyed", DType::f32), key_(std::move(key)) {}

  std::vector<InputSense> senses() const override { return {InputSense::text, InputSense::image, InputSense::thermal}; }
  std::optional<double> same_cosine() const override { return 0.9; }
  int64_t embedding_dim() const override { return kDim; }
  Tensor embed(std::span<const EmbedInput> inputs) const override {
    const Tensor vectors = Tensor::empty({static_cast<int64_t>(inputs.size()), kDim});
    for (size_t i = 0; i < inputs.size(); ++i) {
      uint64_t seed = 0;
      const Sha256Digest digest = sha256(key_(inputs[i]));
      for (size_t k = 0; k < 8; ++k) seed = seed << 8 | digest[k];
      Rng rng(seed);
      const auto row = static_cast<int64_t>(i);
      vectors.slice(row, row + 1).copy_from(Tensor::randn({1, kDim}, rng));
    }
    return vectors;
  }
  Tensor compare(const Tensor& items, const Tensor& others) const override { return ops::linear(items, others); }
  const text::Tokenizer& tokenizer() const override { fail(ErrorKind::unsupported, "none"); }
  OrderedJson describe() const override { return {}; }

 private:
  Key key_;
};

// Every picture's first pixel says which it is.
std::string key_of_picture(const media::Image& image) { return fmt::format("{} {}", image.pixels[0], image.pixels[1]); }

class EmbeddingTasks : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string lines;
    for (int label = 0; label < kClasses; ++label) {
      for (int i = 0; i < kPerClass; ++i) {
        media::Image image(4, 4);
        for (size_t p = 0; p < image.pixels.size(); p += 3) {
          image.pixels[p] = static_cast<uint8_t>(label);
          image.pixels[p + 1] = static_cast<uint8_t>(i);
        }
        const std::string file = fmt::format("{}-{}.png", label, i);
        media::save_image(image, folder_ / file);
        lines += fmt::format(R"({{"image": "{}", "class": "kind {}", "captions": ["number {} of kind {}", "{} {}"]}})",
                             file, label, i, label, label, i) +
                 "\n";
      }
    }
    write_file_atomic(folder_ / "test.jsonl", lines);
  }
  double metric(const models::Model& model, const std::string& task, size_t result, const std::string& name) const {
    EvalOptions options{.data = folder_ / "test.jsonl", .task = task};
    options.bootstrap.resamples = 10;
    const EvalReport report = evaluate(model, "keyed", options);
    for (const auto& [metric_name, value] : report.results.at(result).metrics) {
      if (metric_name == name) return value.value;
    }
    ADD_FAILURE() << name;
    return -1;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(EmbeddingTasks, ARandomModelIsAtChance) {
  const KeyedModel model([](const EmbedInput& input) {
    return input.sense == InputSense::text ? "text " + input.text : "picture " + key_of_picture(*input.image);
  });
  constexpr int kAll = kClasses * kPerClass;
  // Binomial of 80 draws at 1/8: 10 expected, deviation 3.
  EXPECT_NEAR(metric(model, "zero_shot", 0, "accuracy"), 1.0 / kClasses, 3.5 * 3.0 / kAll);
  EXPECT_LE(metric(model, "retrieval", 0, "recall@1"), 6.0 / kAll);
  EXPECT_NEAR(metric(model, "retrieval", 0, "recall@10"), 10.0 / kAll, 0.12);
  EXPECT_LE(metric(model, "retrieval", 1, "recall@1"), 6.0 / kAll);
}

TEST_F(EmbeddingTasks, ARiggedModelIsAlwaysRight) {
  // Pictures and texts of one class, or of one number, are given the same vector.
  const KeyedModel by_class([](const EmbedInput& input) {
    if (input.sense == InputSense::image) return fmt::format("kind {}", input.image->pixels[0]);
    const size_t at = input.text.find("kind ");
    return at == std::string::npos ? input.text : input.text.substr(at, 6);
  });
  EXPECT_EQ(metric(by_class, "zero_shot", 0, "accuracy"), 1.0);
  const KeyedModel by_number([](const EmbedInput& input) {
    return input.sense == InputSense::text ? input.text : key_of_picture(*input.image);
  });
  for (const size_t direction : {size_t{0}, size_t{1}}) {
    EXPECT_EQ(metric(by_number, "retrieval", 1, "recall@1"), 1.0) << direction;
  }
  // One of the two captions of each picture is right, the other one a random vector.
  EXPECT_NEAR(metric(by_number, "retrieval", 0, "recall@1"), 0.5, 0.1);
}

TEST_F(EmbeddingTasks, AModelThatSaysTheSameToEverythingFindsNothing) {
  const KeyedModel model([](const EmbedInput&) { return std::string("same"); });
  EXPECT_EQ(metric(model, "retrieval", 0, "recall@10"), 0.0);
  EXPECT_EQ(metric(model, "retrieval", 1, "recall@10"), 0.0);
}

// Pictures and thermal pictures of the same classes, in two sets; the second one calls a class otherwise.
class AcrossSets : public EmbeddingTasks {
 protected:
  void SetUp() override {
    EmbeddingTasks::SetUp();
    std::string lines;
    for (int label = 0; label < kClasses; ++label) {
      for (int i = 0; i < 5; ++i) {
        const std::string name = label == 0   ? "class zero"
                                 : label == 1 ? "nowhere else"
                                              : fmt::format("kind {}", label);
        lines += fmt::format("{{\"thermal\": \"{}-{}.png\", \"class\": \"{}\"}}\n", label, i, name);
      }
    }
    write_file_atomic(folder_ / "thermal.jsonl", lines);
  }
  // By label and metric.
  std::map<std::string, std::map<std::string, double>> across(const models::Model& model) const {
    EvalOptions options{.data = folder_ / "test.jsonl", .with = {folder_ / "thermal.jsonl"}, .task = "across"};
    options.names = {{"class zero", "kind 0"}};
    options.bootstrap.resamples = 10;
    std::map<std::string, std::map<std::string, double>> found;
    for (const EvalResult& result : evaluate(model, "keyed", options).results) {
      found[result.label]["n"] = static_cast<double>(result.n);
      for (const auto& [name, value] : result.metrics) found[result.label][name] = value.value;
    }
    return found;
  }
};

TEST_F(AcrossSets, ARiggedModelFindsEveryClass) {
  const KeyedModel model([](const EmbedInput& input) { return fmt::format("kind {}", input.image->pixels[0]); });
  const auto results = across(model);
  ASSERT_EQ(results.size(), 3u);
  const auto& by_picture = results.at("thermal by image");
  EXPECT_EQ(by_picture.at("n"), (kClasses - 1) * kPerClass) << "one class is missing in the other set";
  EXPECT_EQ(by_picture.at("recall@1"), 1.0);
  EXPECT_NEAR(by_picture.at("chance@1"), 1.0 / (kClasses - 1), 1e-9);
  EXPECT_LT(by_picture.at("p_value@1"), 1e-6);
  EXPECT_EQ(results.at("image by thermal").at("n"), (kClasses - 1) * 5);
  const auto& same = results.at("image and thermal: the same?");
  EXPECT_EQ(same.at("yes or no"), 1.0);
  EXPECT_EQ(same.at("one of two"), 1.0);
  EXPECT_EQ(same.at("n"), (kClasses - 1) * 100);
}

TEST_F(AcrossSets, ARandomModelIsAtChance) {
  const KeyedModel model(
      [](const EmbedInput& input) { return fmt::format("{} {}", name_of(input.sense), key_of_picture(*input.image)); });
  const auto results = across(model);
  EXPECT_NEAR(results.at("thermal by image").at("recall@1"), 1.0 / (kClasses - 1), 0.15);
  EXPECT_GT(results.at("thermal by image").at("p_value@1"), 0.001);
  EXPECT_NEAR(results.at("image and thermal: the same?").at("one of two"), 0.5, 0.12);
  EXPECT_NEAR(results.at("image and thermal: the same?").at("yes or no"), 0.5, 0.01) << "it says no to everything";
  // Who says the same to everything finds nothing.
  const KeyedModel same([](const EmbedInput&) { return std::string("same"); });
  EXPECT_EQ(across(same).at("thermal by image").at("recall@10"), 0.0);
  EXPECT_EQ(across(same).at("image and thermal: the same?").at("one of two"), 0.0);
}

TEST_F(EmbeddingTasks, ACaptionOfManyMediaIsFoundByAnyOfThem) {
  std::string lines;
  for (int label = 0; label < 3; ++label) {
    for (int i = 0; i < 4; ++i)
      lines += fmt::format("{{\"image\": \"{}-{}.png\", \"caption\": \"a photo of kind {}\"}}\n", label, i, label);
  }
  write_file_atomic(folder_ / "test.jsonl", lines);
  const KeyedModel model([](const EmbedInput& input) {
    return input.sense == InputSense::text ? input.text : fmt::format("a photo of kind {}", input.image->pixels[0]);
  });
  EXPECT_EQ(metric(model, "retrieval", 0, "recall@1"), 1.0);
  EXPECT_EQ(metric(model, "retrieval", 1, "recall@1"), 1.0);
}

// Of two senses in a set each is found among its own: a picture of the same thing is no contrast to a thermal one.
TEST_F(EmbeddingTasks, RetrievalOfEverySenseByItself) {
  std::string lines;
  for (int label = 0; label < 3; ++label) {
    for (const char* sense : {"image", "thermal"})
      lines += fmt::format("{{\"{}\": \"{}-0.png\", \"caption\": \"{} of kind {}\"}}\n", sense, label, sense, label);
  }
  write_file_atomic(folder_ / "test.jsonl", lines);
  // Texts say the kind alone; thermal pictures are all alike.
  const KeyedModel model([](const EmbedInput& input) {
    if (input.sense == InputSense::text) return input.text.substr(input.text.find("kind"));
    return input.sense == InputSense::thermal ? "heat" : fmt::format("kind {}", input.image->pixels[0]);
  });
  const EvalReport report = evaluate(model, "keyed", {.data = folder_ / "test.jsonl", .task = "retrieval"});
  ASSERT_EQ(report.results.size(), 4u);
  EXPECT_EQ(report.results[0].label, "image by caption");
  EXPECT_EQ(report.results[3].label, "captions by thermal");
  for (const size_t i : {0, 1}) EXPECT_EQ(metric(model, "retrieval", i, "recall@1"), 1.0);
  EXPECT_EQ(metric(model, "retrieval", 2, "recall@1"), 0.0);
}

TEST_F(EmbeddingTasks, TasksOfOtherModelsAreRefusedByName) {
  const KeyedModel model([](const EmbedInput&) { return std::string("same"); });
  try {
    evaluate(model, "keyed", {.data = folder_ / "test.jsonl", .task = "caption"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("answer questions"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::eval
