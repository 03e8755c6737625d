// ImageBind against the authors' code (tools/golden/imagebind.py), and what it refuses.
#include "models/imagebind/imagebind.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "media/geometry.h"
#include "media/resize.h"
#include "models/changed_folder.h"
#include "models/embedding/load_input.h"
#include "models/embedding/locate.h"
#include "models/embedding/vectors.h"
#include "models/golden_folder.h"
#include "models/imagebind/original_layout.h"
#include "models/quantize.h"
#include "models/tiny_model.h"
#include "temporary_folder.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

const Imagebind& golden_model() {
  static const std::unique_ptr<Model> model = load_model(golden_path("imagebind"), DType::f32);
  return dynamic_cast<const Imagebind&>(*model);
}

// What the script's numbers() makes: the upper half of a multiplicative hash.
Tensor numbers(const Shape& shape, uint64_t seed) {
  const Tensor tensor = Tensor::empty(shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const uint64_t hashed = (static_cast<uint64_t>(i) * 2654435761U + seed * 40503) % (uint64_t{1} << 32) >> 16;
    tensor.data<float>()[i] = static_cast<float>(hashed) / 32768.0f - 1.0f;
  }
  return tensor;
}

// About 3000 numbers, evenly spaced, as the script keeps them.
Tensor sampled(const Tensor& tensor) {
  std::vector<float> kept;
  for (int64_t i = 0; i < tensor.elements(); i += tensor.elements() / 3000 + 1) kept.push_back(tensor.data<float>()[i]);
  return Tensor::from(kept, {static_cast<int64_t>(kept.size())});
}

struct Prepared {
  const char* name;
  InputSense sense;
  int64_t inputs, clips;
  Shape reference;  // of all clips, as the reference takes them
  uint64_t seed;
};
const std::vector<Prepared> kPrepared = {
    {"vision", InputSense::image, 4, 1, {4, 3, 224, 224}, 1},
    {"video", InputSense::video, 2, 3, {6, 6, 224, 224}, 2},
    {"audio", InputSense::audio, 4, 1, {4, 1, 128, 204}, 3},
    {"audio_clips", InputSense::audio, 2, 3, {6, 1, 128, 204}, 4},
    {"depth", InputSense::depth, 4, 1, {4, 1, 224, 224}, 5},
    {"thermal", InputSense::thermal, 4, 1, {4, 1, 224, 224}, 6},
    {"imu", InputSense::imu, 4, 1, {4, 6, 1, 2000}, 7},
};

// A picture of one frame as the tower has it: every channel twice.
Tensor as_prepared(const Prepared& input) {
  const Tensor given = numbers(input.reference, input.seed);
  if (input.sense != InputSense::image) return given;
  const int64_t pixels = 224 * 224;
  const Tensor frames = Tensor::empty({input.inputs, 6, 224, 224});
  for (int64_t plane = 0; plane < input.inputs * 3; ++plane) {
    for (int64_t frame = 0; frame < 2; ++frame) {
      std::copy_n(given.data<float>() + plane * pixels, pixels, frames.data<float>() + (plane * 2 + frame) * pixels);
    }
  }
  return frames;
}

TEST(GoldenImagebind, SixSensesFromPreparedInputs) {
  const NoGrad no_grad;
  const GoldenFolder golden("imagebind");
  for (const Prepared& input : kPrepared) {
    SCOPED_TRACE(input.name);
    const Tensor prepared = as_prepared(input);
    const Tensor vectors = golden_model().encode(input.sense, prepared, input.clips);
    expect_close(vectors, golden.expected(input.name), 1e-4);
    // One alone gives what it gives in a batch.
    expect_close(golden_model().encode(input.sense, prepared.slice(0, input.clips), input.clips), vectors.slice(0, 1),
                 1e-5);
  }
}

TEST(GoldenImagebind, TextsFromTheirWords) {
  const GoldenFolder golden("imagebind");
  const Tensor ids = golden.expected("texts.ids");
  std::vector<EmbedInput> inputs;
  for (const Json& text : read_json_file(golden.path() / "texts.json")) {
    inputs.push_back({.sense = InputSense::text, .text = text.get<std::string>()});
  }
  ASSERT_EQ(static_cast<int64_t>(inputs.size()), ids.dim(0));
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<int32_t> tokens = golden_model().write_tokens(inputs[i]);
    tokens.resize(77, 0);
    const int32_t* expected = ids.data<int32_t>() + static_cast<int64_t>(i) * 77;
    EXPECT_EQ(tokens, std::vector<int32_t>(expected, expected + 77)) << inputs[i].text;
  }
  expect_close(golden_model().embed(inputs), golden.expected("texts"), 1e-4);
}

void expect_file(const GoldenFolder& golden, const std::string& file, InputSense sense, const std::string& name,
                 int64_t row, double prepared_tolerance) {
  SCOPED_TRACE(file);
  const EmbedInput input = load_input(golden.path() / file, sense);
  const Tensor expected = golden.expected(name);
  expect_close(golden_model().embed({&input, 1}), expected.slice(row, row + 1), 1e-3);
  if (expected.dim(0) > 1) return;
  const InputSense tower = sense == InputSense::video ? InputSense::image : sense;
  expect_close(sampled(prepare_imagebind(input, golden_model().config().towers.at(tower))),
               golden.expected(name + ".prepared"), prepared_tolerance);
}

TEST(GoldenImagebind, PicturesFromFiles) {
  const GoldenFolder golden("imagebind");
  for (int i = 0; i < 3; ++i) expect_file(golden, fmt::format("picture{}.png", i), InputSense::image, "pictures", i, 0);
}

TEST(GoldenImagebind, SoundsFromFiles) {
  const GoldenFolder golden("imagebind");
  for (const char* name : {"long", "short", "stereo"}) {
    expect_file(golden, fmt::format("{}.wav", name), InputSense::audio, name, 0, 1e-3);
  }
}

TEST(GoldenImagebind, FilmsFromFiles) {
  const GoldenFolder golden("imagebind");
  for (const char* name : {"film", "still"}) {
    expect_file(golden, fmt::format("{}.mp4", name), InputSense::video, name, 0, 1e-2);
  }
}

TEST(GoldenImagebind, ClipsBeginWhereTheReferencesDo) {
  const GoldenFolder golden("imagebind");
  const Json known = read_json_file(golden.path() / "clip_starts.json");
  for (const auto& [length, starts] : known.items()) {
    EXPECT_EQ(clip_starts(std::stoll(length), 16'000, 3, 2), starts.get<std::vector<int64_t>>()) << length;
  }
}

TEST(GoldenImagebind, InBf16AndInEightBits) {
  const NoGrad no_grad;
  const GoldenFolder golden("imagebind");
  const TemporaryFolder folder;
  quantize_model(golden.path(), folder.path() / "q8", {.type = "q8", .towers = "q8"});
  const auto bf16 = load_model(golden.path()), q8 = load_model(folder.path() / "q8");
  EXPECT_FALSE(q8->store().packed().empty());
  for (const Prepared& input : kPrepared) {
    for (const Model* model : {bf16.get(), q8.get()}) {
      const Tensor vectors =
          dynamic_cast<const Imagebind&>(*model).encode(input.sense, as_prepared(input), input.clips);
      const Tensor a = unit_rows(vectors), b = unit_rows(golden.expected(input.name));
      for (int64_t row = 0; row < a.dim(0); ++row) {
        EXPECT_GE(ops::linear(a.slice(row, row + 1), b.slice(row, row + 1)).item(), 0.995f)
            << input.name << (model == q8.get() ? " q8" : " bf16");
      }
    }
  }
}

TEST(Imagebind, QuantisingTakesTheTokenizerAlong) {
  const ChangedFolder packed("imagebind");
  ASSERT_EQ(std::system(fmt::format("gzip {}/bpe_simple_vocab_16e6.txt", packed.path().string()).c_str()), 0);
  const TemporaryFolder folder;
  quantize_model(packed.path(), folder.path() / "q8", {.type = "q8", .towers = "q8"});
  const EmbedInput text{.sense = InputSense::text, .text = "a dog"};
  EXPECT_EQ(load_model(folder.path() / "q8")->embedder()->embed({&text, 1}).shape(), (Shape{1, 24}));
}

TEST(Imagebind, IsAllTowersToQuantising) {
  const GoldenFolder golden("imagebind");
  const TemporaryFolder folder;
  const auto towers = [&](const std::string& name, const QuantizeOptions& options) {
    quantize_model(golden.path(), folder.path() / name, options);
    return read_json_file(folder.path() / name / "config.json").at("quantization").at("towers").get<std::string>();
  };
  EXPECT_EQ(towers("plain", {}), "q8/640");
  EXPECT_EQ(towers("four", {.type = "q4"}), "q4/64");
  EXPECT_EQ(towers("mixed", {.type = "q4", .towers = "bf16"}), "bf16");
}

TEST(Imagebind, EveryInputKeepsItsPlace) {
  const GoldenFolder golden("imagebind");
  std::vector<EmbedInput> inputs = {load_input(golden.path() / "short.wav", InputSense::audio),
                                    {.sense = InputSense::text, .text = "a dog"},
                                    load_input(golden.path() / "picture0.png", InputSense::image),
                                    load_input(golden.path() / "picture0.png", InputSense::thermal)};
  const Tensor together = golden_model().embed(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    expect_close(together.slice(row, row + 1), golden_model().embed({&inputs[i], 1}), 1e-5);
  }
}

// The released file has no configuration: sizes come from its tensors.
TEST(Imagebind, SizesOfTheReleasedFile) {
  TensorFiles files;
  const auto add = [&](const std::string& name, const Shape& shape) {
    files.add(name, {.shape = shape, .dtype = DType::f32, .file_name = name, .read = {}});
  };
  struct Row {
    const char* name;
    int64_t dim, layers;
    const char* stem;
    Shape kernel;
    int64_t tokens;
    const char* projection;
  };
  const std::vector<Row> rows = {
      {"vision", 1280, 32, "rgbt_stem.proj.1", {1280, 3, 2, 14, 14}, 257, "2"},
      {"audio", 768, 12, "rgbt_stem.proj", {768, 1, 16, 16}, 229, "2"},
      {"depth", 384, 12, "depth_stem.proj", {384, 1, 16, 16}, 197, "2"},
      {"thermal", 768, 12, "rgbt_stem.proj", {768, 1, 16, 16}, 197, "2"},
      {"imu", 512, 6, "imu_stem.proj", {512, 48}, 251, "3"},
  };
  for (const Row& row : rows) {
    const std::string below = fmt::format("modality_preprocessors.{}.", row.name);
    add(below + "cls_token", {1, 1, row.dim});
    add(below + row.stem + ".weight", row.kernel);
    add(below + (std::string(row.name) == "imu" ? "pos_embed" : "pos_embedding_helper.pos_embed"),
        {1, row.tokens, row.dim});
    for (int64_t i = 0; i < row.layers; ++i) {
      const std::string block = fmt::format("modality_trunks.{}.blocks.{}.", row.name, i);
      add(block + "norm_1.weight", {row.dim});
      add(block + "mlp.fc1.weight", {4 * row.dim, row.dim});
    }
    add(fmt::format("modality_heads.{}.{}.weight", row.name, row.projection), {1024, row.dim});
  }
  const ImagebindConfig config = ImagebindConfig::from_json(imagebind_config_of(files, "x.pth"), "x.pth");
  EXPECT_EQ(config.dim, 1024);
  EXPECT_FALSE(config.text.has_value());
  const std::map<InputSense, std::pair<int64_t, int64_t>> expected = {// heads, tokens
                                                                      {InputSense::image, {16, 257}},
                                                                      {InputSense::audio, {12, 229}},
                                                                      {InputSense::depth, {8, 197}},
                                                                      {InputSense::thermal, {12, 197}},
                                                                      {InputSense::imu, {8, 251}}};
  ASSERT_EQ(config.towers.size(), expected.size());
  for (const auto& [sense, sizes] : expected) {
    const ImagebindTower& tower = config.towers.at(sense);
    EXPECT_EQ(tower.transformer.heads, sizes.first) << name_of(sense);
    EXPECT_EQ(tower.transformer.tokens(), sizes.second) << name_of(sense);
    EXPECT_EQ(tower.transformer.extra_key, sense != InputSense::image) << name_of(sense);
  }
  EXPECT_EQ(config.towers.at(InputSense::audio).input, Shape({1, 128, 204}));
  EXPECT_EQ(config.towers.at(InputSense::imu).input, Shape({6, 1, 2000}));

  TensorFiles others;
  others.add("model.layers.0.weight", {.shape = {4}, .file_name = "model.layers.0.weight", .read = {}});
  const Error error = error_of([&] { imagebind_config_of(others, "x.pth"); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
  EXPECT_NE(error.message().find("modality_preprocessors.audio.cls_token"), std::string::npos) << error.message();
}

TEST(Imagebind, RefusesWhatItCannotRead) {
  const fs::path folder = golden_path("imagebind");
  // Clip has neither sound nor heat.
  const auto clip = load_model(golden_path("clip"), DType::f32);
  const EmbedInput sound = load_input(folder / "short.wav", InputSense::audio);
  const Error no_sense = error_of([&] { clip->embedder()->embed({&sound, 1}); });
  EXPECT_EQ(no_sense.kind(), ErrorKind::unsupported);
  EXPECT_NE(no_sense.message().find("text, image"), std::string::npos) << no_sense.message();
  // A depth picture without its camera.
  EXPECT_EQ(error_of([&] { load_input(folder / "picture0.png", InputSense::depth); }).kind(), ErrorKind::usage);
  // A sound shorter than a frame of its spectrum.
  const EmbedInput click{.sense = InputSense::audio,
                         .audio = std::make_shared<media::Audio>(media::Audio{16'000, 1, {0.5f, -0.5f}}),
                         .name = "click.wav"};
  const Error too_short = error_of([&] { golden_model().embed({&click, 1}); });
  EXPECT_TRUE(too_short.message().starts_with("click.wav")) << too_short.message();
}

TEST(Embedding, SumsOfVectors) {
  const Tensor rows = Tensor::from(std::vector<float>{3, 0, 0, 0, 0.5f, 0}, {2, 3});
  const std::vector<float> sum = combine(rows, std::vector<float>{1, 1}).to_floats();
  EXPECT_NEAR(sum[0], std::sqrt(0.5), 1e-6);
  EXPECT_NEAR(sum[1], std::sqrt(0.5), 1e-6);
  EXPECT_NEAR(combine(rows, std::vector<float>{1, -1}).to_floats()[1], -std::sqrt(0.5), 1e-6);
}

TEST(Embedding, HeatIsTheMeanOfTheWindowsOverAPixel) {
  const Tensor heat = heat_of({{0, 0, 2, 2, 1.0f}, {1, 0, 2, 2, 0.0f}}, 4, 2);
  const std::vector<float> row = {1.0f, 0.5f, 0.0f, 0.0f};
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(heat.data<float>()[i], row[static_cast<size_t>(i % 4)]);
  EXPECT_EQ(heat_of({{0, 0, 2, 2, 0.3f}}, 2, 2).data<float>()[3], 0.5f);
  const media::Image drawn = draw_heat(media::Image(4, 2, 3, 100), heat);
  EXPECT_GT(drawn.at(0, 0)[0], drawn.at(0, 0)[2]) << "warm is red";
  EXPECT_LT(drawn.at(3, 0)[0], drawn.at(3, 0)[2]) << "cold is blue";
}

TEST(Embedding, LocatesThePartThatIsLikeTheQuery) {
  const GoldenFolder golden("imagebind");
  const media::Image image = media::resize(*golden.picture(1), 200, 100, media::ResizeFilter::bicubic);
  const EmbedInput part{.sense = InputSense::image,
                        .image = std::make_shared<media::Image>(media::crop(image, 100, 50, 50, 50))};
  const Tensor query = golden_model().embed({&part, 1});
  const std::vector<ScoredWindow> windows = score_windows(golden_model(), image, query, {.scales = {1.0, 0.5}});
  EXPECT_NEAR(windows[0].cosine, 1.0f, 1e-5f);
  EXPECT_EQ(windows[0].x, 100);
  EXPECT_EQ(windows[0].y, 50);
  std::vector<int> covered(200 * 100);
  for (const ScoredWindow& window : windows) {
    EXPECT_LE(window.cosine, windows[0].cosine);
    for (int y = window.y; y < window.y + window.height; ++y) {
      for (int x = window.x; x < window.x + window.width; ++x) ++covered.at(static_cast<size_t>(y * 200 + x));
    }
  }
  EXPECT_EQ(std::count(covered.begin(), covered.end(), 0), 0);
  const std::vector<ScoredMoment> moments = score_moments(golden_model(), golden.path() / "film.mp4", query, 2);
  EXPECT_EQ(moments.size(), 6u);
}

TEST(Embedding, ClassifiesByAveragedTemplates) {
  const GoldenFolder golden("imagebind");
  const EmbedInput picture = load_input(golden.path() / "picture0.png", InputSense::image);
  const std::vector<std::string> labels = {"a dog", "a cat", "a boat"}, plain = {"{}"};
  const std::vector<float> as_they_are = classify_input(golden_model(), picture, labels, plain);
  // With one plain template it is the softmax of the reference's own products.
  std::vector<EmbedInput> texts;
  for (const std::string& label : labels) texts.push_back({.sense = InputSense::text, .text = label});
  const Tensor logits = golden_model().compare(golden_model().embed({&picture, 1}), golden_model().embed(texts));
  double total = 0;
  for (const float logit : logits.span<float>()) total += std::exp(logit);
  for (size_t i = 0; i < labels.size(); ++i) {
    EXPECT_NEAR(as_they_are[i], std::exp(logits.data<float>()[i]) / total, 1e-4) << labels[i];
  }
  const std::vector<std::string> two = {"{}", "a photo of {}"};
  const std::vector<float> averaged = classify_input(golden_model(), picture, labels, two);
  EXPECT_NEAR(averaged[0] + averaged[1] + averaged[2], 1.0f, 1e-5f);
  EXPECT_NE(averaged, as_they_are);
  const std::vector<std::string> none = {"a photo"};
  EXPECT_EQ(error_of([&] { classify_input(golden_model(), picture, labels, none); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace sensorium::models
