// Films of data sets are watched as the model's family watches them.
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/dataset.h"
#include "eval/compare.h"
#include "eval/examiner.h"
#include "eval/suite.h"
#include "generate/generate.h"
#include "models/film_of_frames.h"
#include "models/golden_folder.h"
#include "temporary_folder.h"

namespace sensorium::eval {
namespace {

TEST(Films, AreWatchedAsTheFamilyDoes) {
  const models::GoldenFolder golden("llava_onevision");
  const TemporaryFolder folder;
  models::write_lossless_film(golden.path() / "frame%d.png", folder.path() / "film.mkv");
  const std::filesystem::path data = folder.path() / "films.jsonl";
  write_file_atomic(data,
                    R"({"video":"film.mkv","qa":[{"q":"How many dogs are there?","a":"two"}]})"
                    "\n"
                    R"({"messages":[{"role":"user","content":[{"type":"video","video":"film.mkv"},)"
                    R"({"type":"text","text":"How many dogs are there?"}]},{"role":"assistant","content":"two"}]})"
                    "\n" +
                        fmt::format(R"({{"frames":["{0}/frame0.png","{0}/frame1.png","{0}/frame2.png"],)"
                                    R"("qa":[{{"q":"How many dogs are there?","a":"two"}}]}})"
                                    "\n",
                                    golden.path().string()));
  const auto model = models::load_model(golden.path(), DType::f32);
  const models::ModelFamily& family = models::family_of(golden.path());
  models::ChatMessage message{.role = "user", .parts = family.read_film(folder.path() / "film.mkv", {})};
  message.parts.push_back({.text = models::kQuestion});
  const auto session = model->start({&message, 1});
  generate::GenerateOptions options;
  options.max_tokens = 8;
  const std::string wanted = generate::generate(*session, options).answer.text;

  const auto records = data::open_dataset(data);
  const data::Record asked = records->get(0), talked = records->get(1), frames = records->get(2);
  Examiner examiner(*model, &family, 8);
  examiner.open(asked);
  EXPECT_EQ(examiner.ask(models::kQuestion).text, wanted);
  examiner.open(talked);
  EXPECT_EQ(examiner.answer(std::span(talked.messages).first(1)).text, wanted);
  examiner.open(frames);
  EXPECT_EQ(examiner.ask(models::kQuestion).text, wanted);
  EXPECT_EQ(evaluate(*model, "m", {.data = data, .family = &family, .max_tokens = 8}).records, 3);
  const Comparison same = compare_models(*model, *model, {.data = data.string(), .family = &family, .tokens = 4});
  EXPECT_EQ(same.prompts, 3);
  EXPECT_EQ(same.same_token, 1.0);

  // As recordings they are nothing that this model reads.
  Examiner blind(*model, nullptr, 8);
  blind.open(asked);
  EXPECT_THROW(blind.ask(models::kQuestion), Error);
}

}  // namespace
}  // namespace sensorium::eval
