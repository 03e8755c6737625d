#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/world/aligned/aligned.h"
#include "io/npy.h"
#include "media/encode.h"

namespace sensorium::data {
namespace {

Json question(const std::string& q, const std::string& a) { return {{"q", q}, {"a", a}}; }

Json questions(const std::vector<QuestionAnswer>& all) {
  Json list = Json::array();
  for (const QuestionAnswer& one : all) list.push_back(question(one.question, one.answer));
  return list;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> aligned_files(const AlignedScene& scene) {
  std::vector<std::pair<std::string, std::string>> files;
  files.emplace_back(".png", media::encode_png(scene.picture));
  files.emplace_back("_thermal.png", media::encode_png(scene.heat));
  media::Image16 millimetres(scene.picture.width, scene.picture.height, 1);
  std::transform(scene.distance_m.begin(), scene.distance_m.end(), millimetres.pixels.begin(),
                 [](float metres) { return static_cast<uint16_t>(std::lround(metres * 1000)); });
  files.emplace_back("_depth.png", media::encode_png(millimetres));
  files.emplace_back(".wav", media::encode_wav(scene.sound));
  for (size_t t = 0; t < scene.film.size(); ++t)
    files.emplace_back(fmt::format("_{}.png", t), media::encode_png(scene.film[t]));
  const auto samples = static_cast<int64_t>(scene.motion.size()) / 6;
  files.emplace_back(".npy", io::encode_npy(Tensor::from(scene.motion, {samples, 6})));
  return files;
}

std::vector<Json> aligned_records(const AlignedScene& scene, uint64_t index, const std::string& name) {
  const std::string media = "media/" + name;
  const Json boxes = Json::array({{{"box", scene.box}, {"class", scene.name}}});
  Json frames = Json::array();
  for (size_t t = 0; t < scene.film.size(); ++t) frames.push_back(fmt::format("{}_{}.png", media, t));
  std::vector<Json> records = {
      {{"image", media + ".png"},
       {"class", scene.name},
       {"caption", phrase_of(scene)},
       {"boxes", boxes},
       {"qa", {question("What is in the picture?", scene.name), question("Which colour does it have?", scene.color)}}},
      {{"thermal", media + "_thermal.png"},
       {"class", scene.name},
       {"caption", warm_phrase_of(scene)},
       {"boxes", boxes},
       {"qa", Json::array({question("What is in the thermal image?", scene.name)})}},
      {{"depth", media + "_depth.png"},
       {"depth_unit", "mm"},
       {"class", scene.name},
       {"qa", questions(depth_questions(scene))}},
      {{"audio", media + ".wav"},
       {"class", scene.name},
       {"qa", Json::array({question("What do you hear?", scene.name)})}},
      {{"frames", frames},
       {"class", scene.thing_motion},
       {"motion", scene.moves()},
       {"caption", story_of(scene)},
       {"qa",
        {question("What happens in the video?", story_of(scene)),
         question("Does anything move in the video?", scene.moves() ? "yes" : "no")}}},
      {{"imu", media + ".npy"},
       {"class", scene.camera_motion},
       {"qa", Json::array({question("How does the camera move?", scene.camera_motion)})}}};
  for (Json& record : records) record["scene"] = index;
  return records;
}

WorldDatasetReport write_aligned_dataset(const std::filesystem::path& directory, const std::string& name,
                                         uint64_t first, size_t count, uint64_t seed) {
  require(count > 0 && count <= kMaxWorldIndex && first <= kMaxWorldIndex - count, ErrorKind::usage,
          "{} scenes from {}; want at least one, and none beyond {}", count, first, kMaxWorldIndex);
  check_dataset_name(name);
  std::error_code code;
  std::filesystem::create_directories(directory / "media", code);
  require(!code, ErrorKind::io, "{}: cannot create: {}", (directory / "media").string(), code.message());
  std::vector<std::string> lines(count);
  std::vector<uint64_t> bytes(count);
  parallel_for(static_cast<int64_t>(count), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      check_interrupted();
      const uint64_t index = first + static_cast<uint64_t>(i);
      const AlignedScene scene = generate_aligned_scene(seed, index);
      const std::string file = fmt::format("{}_{:06}", name, index);
      for (const auto& [ending, content] : aligned_files(scene)) {
        write_file_atomic(directory / "media" / (file + ending), content);
        bytes[static_cast<size_t>(i)] += content.size();
      }
      for (const Json& record : aligned_records(scene, index, file))
        lines[static_cast<size_t>(i)] += record.dump() + "\n";
    }
  });
  WorldDatasetReport report{count, 0};
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += lines[i];
    report.bytes += bytes[i];
  }
  report.bytes += text.size();
  write_file_atomic(directory / (name + ".jsonl"), text);
  return report;
}

}  // namespace sensorium::data
