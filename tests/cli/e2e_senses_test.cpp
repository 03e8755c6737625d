// Recordings from files to answers: a tiny model learns two sounds and two motions, and is asked about others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/child_process.h"
#include "base/json.h"
#include "base/rng.h"
#include "cli/binary.h"
#include "io/npy.h"
#include "media/audio.h"
#include "media/encode.h"

namespace sensorium::cli {
namespace {

const std::string kSource = SENSORIUM_SOURCE_DIR;
constexpr const char* kEncoder =
    "{stem_channels: [8, 8, 16, 16], stem_blocks: [1, 1, 1], norm_groups: 2, dim: 16, layers: 1, heads: 2, mlp_width: "
    "24}";

std::string tone(double hz, double seconds, uint64_t seed) {
  Rng rng(seed);
  media::Audio audio{16'000, 1, {}};
  for (int i = 0; i < static_cast<int>(seconds * 16'000); ++i) {
    audio.samples.push_back(
        static_cast<float>(0.4 * std::sin(2 * std::numbers::pi * hz * i / 16'000) + 0.02 * rng.normal()));
  }
  return media::encode_wav(audio);
}

Tensor shaking(double hz, uint64_t seed) {
  Rng rng(seed);
  Tensor window = Tensor::randn({100, 6}, rng, 0.1f);
  for (int t = 0; t < 100; ++t) {
    window.data<float>()[6 * t] += static_cast<float>(5 * std::sin(2 * std::numbers::pi * hz * t / 50));
    window.data<float>()[6 * t + 2] += 9.81f;
  }
  return window;
}

std::string csv_of(const Tensor& window) {
  std::string text = "time_s,gyr_x,gyr_y,gyr_z,acc_x,acc_y,acc_z\n";
  const float* v = window.data<float>();
  for (int t = 0; t < 100; ++t, v += 6)
    text += fmt::format("{},{},{},{},{},{},{}\n", t / 50.0, v[3], v[4], v[5], v[0], v[1], v[2]);
  return text;
}

class Recordings : public testing::Test {
 protected:
  void write_set(const std::string& name, uint64_t seed, int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::string file = fmt::format("{}{}", name, i);
      const bool first = i % 2 == 0;
      write_file_atomic(folder_ / (file + ".wav"), tone(first ? 300 : 3000, 0.6, seed + static_cast<uint64_t>(i)));
      write_file_atomic(folder_ / (file + ".npy"),
                        io::encode_npy(shaking(first ? 1 : 8, seed + static_cast<uint64_t>(i))));
      lines += fmt::format("{{\"audio\": \"{}.wav\", \"class\": \"{}\"}}\n", file, first ? "low" : "high");
      lines += fmt::format("{{\"imu\": \"{}.npy\", \"class\": \"{}\"}}\n", file, first ? "slow" : "fast");
    }
    write_file_atomic(folder_ / (name + ".jsonl"), lines);
  }
  Finished train(int steps) {
    return run_binary({"train", kSource + "/recipes/tiny.yaml", "data.train=" + folder_ / "train.jsonl", "out=" + out_,
                       fmt::format("train.steps={}", steps), "tokenizer.vocabulary=300", "data.images_per_batch=8",
                       "train.learning_rate=0.005", "train.ema_decay=0",
                       fmt::format("model.senses.audio.encoder={}", kEncoder),
                       fmt::format("model.senses.imu.encoder={}", kEncoder), "model.senses.audio.merge=2"});
  }

  TemporaryFolder folder_;
  std::string out_ = folder_ / "run", model_ = folder_ / "run/model";
};

TEST_F(Recordings, AreLearnedAskedAboutAndEvaluated) {
  write_set("train", 1, 12);
  write_set("test", 100, 6);
  const Finished trained = train(60);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Json config = read_json_file(out_ + "/model/config.json");
  EXPECT_EQ(config.at("senses").at("audio").at("labels"), Json::array({"high", "low"}));
  EXPECT_EQ(config.at("senses").at("imu").at("labels"), Json::array({"fast", "slow"}));
  EXPECT_TRUE(config.at("heads").at("labels").empty()) << "labels of recordings are none of pictures";

  const Finished evaluated =
      run_binary({"eval", "--model", model_, "--data", folder_ / "test.jsonl", "--task", "class", "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  const Json result = Json::parse(evaluated.out).at("results").at(0);
  EXPECT_EQ(result.at("n"), 12);
  EXPECT_GE(result.at("metrics").at("accuracy").at("value").get<double>(), 0.9);

  write_file_atomic(folder_ / "walk.csv", csv_of(shaking(8, 7)));
  for (const std::vector<std::string>& files :
       {std::vector<std::string>{folder_ / "test0.wav"},
        {folder_ / "walk.csv"},
        {folder_ / "test0.npy", "--as", "imu"},
        {kSource + "/examples/digit.png", folder_ / "test0.wav", folder_ / "test0.npy", "--as", "imu"}}) {
    std::vector<std::string> arguments = {"ask", "What is it?", "--model", model_, "--json", "--max-tokens", "4"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const Finished asked = run_binary(arguments);
    EXPECT_EQ(asked.exit_code, 0) << asked.err;
    EXPECT_TRUE(Json::parse(asked.out).contains("answer"));
  }
  const Finished chat =
      run_binary({"chat", "--model", model_, "--max-tokens", "4"},
                 {.input = "/audio " + folder_ / "test0.wav" + "\nwhat?\n/imu " + folder_ / "walk.csv" + "\nwhat?\n"});
  EXPECT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_EQ(chat.err, "");
}

// Films as lists of pictures: a bright square that drives past, or one that stands.
class Films : public testing::Test {
 protected:
  std::string frame_name(const std::string& film, int t) const { return fmt::format("{}_{}.png", film, t); }
  void write_film(const std::string& name, uint64_t seed, bool moves) {
    Rng rng(seed);
    const int top = static_cast<int>(rng.below(30)), left = static_cast<int>(rng.below(12));
    for (int t = 0; t < 8; ++t) {
      media::Image frame(64, 48, 3, 60);
      const int x0 = left + (moves ? 5 * t : 10);
      for (int y = top; y < top + 14; ++y) std::fill_n(frame.at(x0, y), 3 * 12, 230);
      write_file_atomic(folder_ / frame_name(name, t), media::encode_png(frame));
    }
  }
  void write_set(const std::string& name, uint64_t seed, int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::string film = fmt::format("{}{}", name, i);
      const bool moves = i % 2 == 0;
      write_film(film, seed + static_cast<uint64_t>(i), moves);
      Json record = {{"class", moves ? "drives past" : "stands"}, {"motion", moves}};
      for (int t = 0; t < 8; ++t) record["frames"].push_back(frame_name(film, t));
      record["qa"] = {{{"q", "Does anything move in the video?"}, {"a", moves ? "yes" : "no"}}};
      lines += record.dump() + "\n";
    }
    write_file_atomic(folder_ / (name + ".jsonl"), lines);
  }
  // The frames as a film of 4 frames a second with a tone.
  std::string make_mp4(const std::string& film) {
    const std::string path = folder_ / (film + ".mp4");
    ChildProcess process({"ffmpeg",     "-hide_banner",
                          "-loglevel",  "error",
                          "-nostdin",   "-y",
                          "-framerate", "4",
                          "-i",         folder_ / (film + "_%d.png"),
                          "-f",         "lavfi",
                          "-i",         "sine=f=440:r=16000:d=2",
                          "-c:v",       "mpeg4",
                          "-q:v",       "2",
                          "-pix_fmt",   "yuv420p",
                          path},
                         {});
    (void)process.read_all(1000);
    EXPECT_EQ(process.wait(), 0) << process.complaint();
    return path;
  }

  TemporaryFolder folder_;
  std::string out_ = folder_ / "run", model_ = folder_ / "run/model";
};

TEST_F(Films, AreLearnedAskedAboutAndEvaluated) {
  write_set("train", 1, 24);
  write_set("test", 100, 10);
  const Finished checked = run_binary({"validate", folder_ / "train.jsonl"});
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
  const Finished trained =
      run_binary({"train", kSource + "/recipes/tiny.yaml", "data.train=" + folder_ / "train.jsonl", "data.augment=film",
                  "out=" + out_, "train.steps=80", "tokenizer.vocabulary=300", "data.images_per_batch=6",
                  "train.learning_rate=0.004", "train.ema_decay=0", "model.senses.video.merge=4",
                  "model.senses.video.encoder={cells: 4, dim: 32, layers: 1, heads: 2, mlp_width: 48}"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Json config = read_json_file(out_ + "/model/config.json");
  EXPECT_EQ(config.at("senses").at("video").at("labels"), Json({"drives past", "motion", "no motion", "stands"}));

  const Finished evaluated =
      run_binary({"eval", "--model", model_, "--data", folder_ / "test.jsonl", "--task", "class", "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  const Json result = Json::parse(evaluated.out).at("results").at(0);
  EXPECT_EQ(result.at("n"), 10);
  EXPECT_GE(result.at("metrics").at("accuracy").at("value").get<double>(), 0.9);

  // A film's file; its sound is left out by a model that does not hear.
  const std::string film = make_mp4("test0");
  const Finished asked =
      run_binary({"ask", "Does anything move in the video?", film, "--model", model_, "--json", "--max-tokens", "4"});
  EXPECT_EQ(asked.exit_code, 0) << asked.err;
  EXPECT_TRUE(Json::parse(asked.out).contains("answer"));
  expect_one_line_error(run_binary({"ask", "What?", film + ":audio", "--model", model_}), 1,
                        "this model has no sense of hearing");
  const Finished chat =
      run_binary({"chat", "--model", model_, "--max-tokens", "4"}, {.input = "/video " + film + "\nwhat?\n"});
  EXPECT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_EQ(chat.err, "");
}

TEST_F(Films, WhatIsWrongIsSaid) {
  write_file_atomic(folder_ / "broken.mp4", "no film");
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "broken.mp4"}), 1, "broken.mp4");
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "none.mp4"}), 1, "none.mp4: no such file");
  const std::string room = folder_ / "room.png";
  write_file_atomic(room, media::encode_png(media::Image16(64, 48, 1, 2000)));
  expect_one_line_error(
      run_binary({"ask", "How far?", room, "--as", "depth", "--model", kSource + "/tests/golden/models/llava"}), 1,
      "this model has no sense of depth, it was given a depth picture");
  expect_one_line_error(run_binary({"ask", "How far?", room, "--as", "depth", "--depth-unit", "m"}), 1,
                        "is the unit right?");
}

TEST_F(Films, ThermalPicturesAreBroughtToTheScaleOfTheEyes) {
  media::Image16 counts(64, 48, 1, 7000);
  for (int y = 10; y < 30; ++y) std::fill_n(counts.at(20, y), 20, uint16_t{7400});
  const std::string path = folder_ / "night.png";
  write_file_atomic(path, media::encode_png(counts));
  const auto ask = [](const std::vector<std::string>& files) {
    std::vector<std::string> arguments = {"ask", "What is it?", "--max-tokens", "4", "--json"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    return run_binary(arguments);
  };
  const Finished thermal = ask({path, "--as", "thermal"});
  EXPECT_EQ(thermal.exit_code, 0) << thermal.err;
  EXPECT_EQ(thermal.err, "");
  const Finished one = ask({path + ":thermal"});
  EXPECT_EQ(Json::parse(one.out).at("answer"), Json::parse(thermal.out).at("answer"));
  // As a photograph it is nearly all one grey, and it is said.
  const Finished photo = ask({path});
  ASSERT_EQ(photo.exit_code, 0) << photo.err;
  EXPECT_FALSE(Json::parse(photo.out).at("answer").get<std::string>().empty());
  EXPECT_NE(photo.err.find("is grey of 16 bits, as thermal and depth cameras write it"), std::string::npos)
      << photo.err;
  const Finished chat = run_binary({"chat", "--max-tokens", "4"}, {.input = "/thermal " + path + "\nwhat?\n"});
  EXPECT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_EQ(chat.err, "");
}

TEST_F(Recordings, WhatIsWrongIsSaid) {
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "a.npy"}), 2, "--as imu");
  write_file_atomic(folder_ / "wrong.csv", "x,y\n1,2\n");
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "wrong.csv"}), 1, "expected acc_x, acc_y, acc_z (m/s^2)");
  write_file_atomic(folder_ / "short.wav", tone(300, 0.05, 1));
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "short.wav"}), 1, "at least 100 ms");
  write_file_atomic(folder_ / "empty.wav", "");
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "empty.wav"}), 1, "empty.wav");
  write_file_atomic(folder_ / "tone.wav", tone(300, 0.5, 1));
  expect_one_line_error(run_binary({"ask", "What?", folder_ / "tone.wav", "--annotate", folder_ / "a.png"}), 2,
                        "--annotate draws into a picture, but none is given");
  expect_one_line_error(
      run_binary({"ask", "What?", folder_ / "tone.wav", "--model", kSource + "/tests/golden/models/llava"}), 1,
      "this model has no sense of hearing, it was given a sound");
}

}  // namespace
}  // namespace sensorium::cli
