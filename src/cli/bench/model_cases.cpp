#include <memory>

#include "base/rng.h"
#include "cli/bench/cases.h"
#include "cli/command.h"

namespace sensorium::cli {
namespace {

std::shared_ptr<media::Image> noise_picture(int width, int height) {
  auto image = std::make_shared<media::Image>(width, height);
  Rng rng(3);
  for (uint8_t& value : image->pixels) value = static_cast<uint8_t>(rng.below(256));
  return image;
}

}  // namespace

std::vector<BenchCase> model_cases(const std::string& model_name) {
  const auto load = [model_name] { return std::shared_ptr<models::Model>(open_model(model_name)); };
  return {
      {.name = "encode/image",
       .prepare =
           [load] {
             const auto model = load();
             const auto image = noise_picture(320, 240);
             return [=] { model->classify(*image, std::vector<std::string>{"a", "b"}); };
           }},
      {.name = "decode/prefill256",
       .prepare =
           [load] {
             const auto model = load();
             std::string text;
             while (model->tokenizer().encode(text).size() < 256)
               text += "the cat sat on the mat and looked at the rain. ";
             return [=] {
               const models::ChatMessage message{.role = "user", .parts = {{.text = text, .image = nullptr}}};
               model->start({&message, 1});
             };
           }},
      {.name = "decode/step",
       .prepare =
           [load] {
             const auto model = load();
             const models::ChatMessage message{.role = "user", .parts = {{.text = "hello", .image = nullptr}}};
             auto session = std::make_shared<std::unique_ptr<models::ChatSession>>(model->start({&message, 1}));
             return [=] {
               if ((*session)->room() < 1) *session = model->start({&message, 1});
               (*session)->accept(1);
             };
           }},
  };
}

}  // namespace sensorium::cli
