#include <functional>
#include <memory>

#include "base/json.h"
#include "base/rng.h"
#include "cli/bench/cases.h"
#include "cli/command.h"
#include "modality/video/video.h"
#include "models/embedding/embedder.h"
#include "models/learner.h"
#include "models/llava/model.h"

namespace sensorium::cli {
namespace {

using SharedModel = std::shared_ptr<models::Model>;

std::shared_ptr<media::Image> noise_picture(int width, int height) {
  auto image = std::make_shared<media::Image>(width, height);
  Rng rng(3);
  for (uint8_t& value : image->pixels) value = static_cast<uint8_t>(rng.below(256));
  return image;
}

// The features of a picture, as the family makes them.
void encode(const models::Model& model, const media::Image& image) {
  if (const auto* llava = dynamic_cast<const models::LlavaModel*>(&model)) {
    llava->read_picture(image);
  } else {
    model.classify(image, std::vector<std::string>{"a", "b"});
  }
}

// What a decoder multiplies for a token.
struct DecoderWork {
  double elements = 0, output_elements = 0;  // of its matrices; of these the one of the logits
  double bytes = 0;
  Peak peak = Peak::bf16;
};
DecoderWork decoder_work(const nn::ParameterStore& store) {
  DecoderWork work;
  bool own_output = false;
  const auto is_output = [](const std::string& name) { return name == "decoder.output.weight"; };
  const auto is_table = [](const std::string& name) { return name == "decoder.embedding.weight"; };
  for (const nn::Parameter& p : store.parameters()) own_output = own_output || is_output(p.name);
  for (const nn::PackedParameter& p : store.packed()) own_output = own_output || is_output(p.name);
  const auto add = [&](const std::string& name, double elements, double bytes) {
    if (!name.starts_with("decoder.") || (is_table(name) && own_output)) return;
    work.elements += elements;
    work.bytes += bytes;
    if (is_output(name) || is_table(name)) work.output_elements += elements;
  };
  for (const nn::Parameter& p : store.parameters()) {
    if (p.value.rank() == 2) add(p.name, static_cast<double>(p.value.elements()), static_cast<double>(p.value.bytes()));
  }
  for (const nn::PackedParameter& p : store.packed()) {
    add(p.name, static_cast<double>(p.value.shape().elements()), static_cast<double>(p.value.bytes.bytes()));
    if (p.name.starts_with("decoder.") && p.value.layout.type != kernels::PackedType::bf16) work.peak = Peak::int8;
  }
  return work;
}

// A question whose whole prompt, what the model's template writes around it included, takes `tokens` tokens, or the most below.
struct Prompt {
  models::ChatMessage message;
  int64_t tokens = 0;
};
Prompt prompt_of(const models::Model& model, size_t tokens) {
  const std::string sentence = "the cat sat on the mat and looked at the rain. ";
  std::string text;
  while (model.tokenizer().encode(text).size() < tokens) text += sentence;
  for (;; text.pop_back()) {
    models::ChatMessage message{.role = "user", .parts = {{.text = text, .image = nullptr}}};
    const int64_t taken = model.begin({&message, 1})->prompt_tokens();
    if (text.empty() || taken <= static_cast<int64_t>(tokens)) return {std::move(message), taken};
  }
}

using Load = std::function<SharedModel()>;

BenchCase prefill_case(const Load& load, size_t tokens) {
  return {.name = fmt::format("decode/prefill{}", tokens),
          .count =
              [=](BenchCase& test) {
                const SharedModel model = load();
                const DecoderWork work = decoder_work(model->store());
                test.operations =
                    2 * (work.elements - work.output_elements) * static_cast<double>(prompt_of(*model, tokens).tokens);
                test.peak = work.peak;
              },
          .prepare = [=]() -> std::function<void()> {
            const SharedModel model = load();
            const Prompt prompt = prompt_of(*model, tokens);
            return [=] {
              model->configure_cache({});  // or only the first round would compute the prompt
              model->start({&prompt.message, 1});
            };
          }};
}

BenchCase step_case(const Load& load) {
  return {.name = "decode/step",
          .peak = Peak::read,
          .count = [=](BenchCase& test) { test.bytes = decoder_work(load()->store()).bytes; },
          .prepare = [=]() -> std::function<void()> {
            const SharedModel model = load();
            const models::ChatMessage message{.role = "user", .parts = {{.text = "hello", .image = nullptr}}};
            auto session = std::make_shared<std::unique_ptr<models::ChatSession>>(model->start({&message, 1}));
            return [=] {
              if ((*session)->room() < 1) *session = model->start({&message, 1});
              (*session)->accept(5);
            };
          }};
}

// So many inputs go through a tower at once.
constexpr size_t kEmbedBatch = 8;

std::vector<models::EmbedInput> embed_inputs(models::InputSense sense) {
  std::vector<models::EmbedInput> inputs(kEmbedBatch);
  Rng rng(5);
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i] = {.sense = sense, .name = fmt::format("input {}", i)};
    if (sense == models::InputSense::text) {
      inputs[i].text = fmt::format("a photo of {} dogs that run over a green field in the rain", i + 2);
    } else if (sense == models::InputSense::audio) {
      media::Audio sound{16'000, 1, std::vector<float>(size_t{6} * 16'000)};
      for (float& sample : sound.samples) sample = 0.1f * static_cast<float>(rng.normal());
      inputs[i].audio = std::make_shared<media::Audio>(std::move(sound));
    } else {
      inputs[i].image = noise_picture(320, 240);
    }
  }
  return inputs;
}

// From decoded media to vectors, kEmbedBatch at once.
BenchCase embed_case(const Load& load, models::InputSense sense) {
  return {.name = fmt::format("embed/{}x{}", name_of(sense), kEmbedBatch), .prepare = [=]() -> std::function<void()> {
            const SharedModel model = load();
            const std::vector<models::EmbedInput> inputs = embed_inputs(sense);
            return [=] { (void)model->embedder()->embed(inputs); };
          }};
}

constexpr int kSoundSeconds = 10, kFilmFrames = 8, kFilmWidth = 160, kFilmHeight = 90;

// A decoded sound to its vector: log-mel windows, the encoder, the head of the joint space.
BenchCase sound_case(const Load& load) {
  return {.name = fmt::format("encode/audio{}s", kSoundSeconds), .prepare = [=]() -> std::function<void()> {
            const SharedModel model = load();
            media::Audio sound{16'000, 1, std::vector<float>(size_t{16'000} * kSoundSeconds)};
            Rng rng(5);
            for (float& sample : sound.samples) sample = 0.1f * static_cast<float>(rng.normal());
            const models::EmbedInput input{.sense = models::InputSense::audio,
                                           .audio = std::make_shared<media::Audio>(std::move(sound)),
                                           .name = "noise"};
            return [=] { (void)model->embedder()->embed({&input, 1}); };
          }};
}

// Decoded frames to what the classifier says of them.
BenchCase film_case(const Load& load) {
  return {.name = fmt::format("encode/video{}x{}x{}", kFilmFrames, kFilmWidth, kFilmHeight),
          .prepare = [=]() -> std::function<void()> {
            const SharedModel model = load();
            const std::vector<media::Image> frames(kFilmFrames, *noise_picture(kFilmWidth, kFilmHeight));
            return [=] {
              const models::ChatPart film{.recording = std::make_shared<const modality::Recording>(
                                              modality::film_recording(frames, kFilmFrames / modality::kFilmRateHz))};
              (void)model->classify_part(film, std::vector<std::string>{"a", "b"});
            };
          }};
}

}  // namespace

std::vector<BenchCase> model_cases(const std::string& model_name) {
  const Load load = [model_name, loaded = std::make_shared<SharedModel>()] {
    if (!*loaded) *loaded = open_model(model_name);
    return *loaded;
  };
  if (model_name != "default" && models::family_of(find_model(model_name)).kind == models::FamilyKind::embeds) {
    std::vector<BenchCase> cases = {embed_case(load, models::InputSense::image),
                                    embed_case(load, models::InputSense::text)};
    if (models::family_of(find_model(model_name)).model_type == std::string("imagebind")) {
      cases.push_back(embed_case(load, models::InputSense::audio));
    }
    return cases;
  }
  std::vector<BenchCase> cases = {{.name = "encode/image",
                                   .prepare = [load]() -> std::function<void()> {
                                     const SharedModel model = load();
                                     const auto image = noise_picture(320, 240);
                                     return [=] { encode(*model, *image); };
                                   }},
                                  prefill_case(load, 256),
                                  prefill_case(load, 512),
                                  step_case(load)};
  const std::filesystem::path folder = find_model(model_name);
  if (models::is_native(folder)) {
    const Json config = read_json_file(folder / "config.json");
    const Json senses = config.value("senses", Json::object());
    if (senses.contains("video")) cases.push_back(film_case(load));
    if (config.contains("joint")) cases.push_back(embed_case(load, models::InputSense::image));
    if (config.contains("joint") && senses.contains("audio")) cases.push_back(sound_case(load));
  }
  return cases;
}

}  // namespace sensorium::cli
