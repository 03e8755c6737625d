#include <cctype>
#include <chrono>
#include <cstdio>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/utf8.h"
#include "cli/answer_json.h"
#include "cli/command.h"
#include "cli/media_files.h"
#include "cli/options.h"
#include "generate/generate.h"
#include "media/draw.h"
#include "media/encode.h"
#include "models/open.h"

namespace sensorium::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxTextBytes = size_t{16} << 20;

struct AskOptions {
  std::string question;
  std::vector<std::string> files;
  MediaFlags media;
  std::string model = "default", annotate;
  models::LoadOptions load;
  GenerateFlags generate;
  int64_t samples = 1;
  bool json = false;
};

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

std::string read_question(const AskOptions& options) {
  const std::string& given = options.question;
  std::string text = given == "-" ? read_standard_input(kMaxTextBytes) : given;
  const size_t invalid = find_invalid_utf8(text);
  require(invalid == std::string::npos, ErrorKind::usage, "the question is not valid UTF-8 (byte {})", invalid);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  require(text.find_first_not_of(" \t\r\n") != std::string::npos, ErrorKind::usage, "the question is empty");
  std::error_code ignored;
  require(!options.files.empty() || given == "-" || !std::filesystem::is_regular_file(given, ignored), ErrorKind::usage,
          "{0} is a file, the question about it is missing: sensorium ask \"What is this?\" {0}", given);
  return text;
}

std::string png_name_fault(const std::string& name) {
  std::string extension = std::filesystem::path(name).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png" ? std::string()
                             : fmt::format("\"{}\" does not end in .png, the format that is written", name);
}

// The files of --annotate: the name itself for one picture, NAME-1.png, NAME-2.png ... for several, in their order.
class AnnotatedPictures {
 public:
  // Opens the files, so that one that cannot be written is known before the model works.
  AnnotatedPictures(const std::filesystem::path& name, size_t pictures) {
    require(pictures > 0, ErrorKind::usage, "--annotate draws into a picture, but none is given");
    for (size_t i = 0; i < pictures; ++i) {
      std::filesystem::path path = name;
      if (pictures > 1)
        path.replace_filename(fmt::format("{}-{}{}", name.stem().string(), i + 1, name.extension().string()));
      files_.push_back(std::make_unique<AtomicFile>(path));
      names_.push_back(path.string());
    }
  }

  // Returns a line per picture that says what was drawn.
  std::string write(const std::vector<std::shared_ptr<const media::Image>>& images,
                    const std::vector<models::AnswerBox>& boxes) {
    std::string report;
    for (size_t i = 0; i < files_.size(); ++i) {
      std::vector<media::LabelledBox> drawn;
      for (const models::AnswerBox& box : boxes) {
        if (static_cast<size_t>(box.picture) != i) continue;
        drawn.push_back(
            {.label = box.label, .score = box.score, .x0 = box.x0, .y0 = box.y0, .x1 = box.x1, .y1 = box.y1});
      }
      const std::string png = media::encode_png(media::annotate_boxes(*images[i], drawn));
      files_[i]->write(png.data(), png.size());
      files_[i]->commit();
      report += fmt::format("{} {} drawn into {}\n", drawn.size(), drawn.size() == 1 ? "box" : "boxes", names_[i]);
    }
    return report;
  }

 private:
  std::vector<std::unique_ptr<AtomicFile>> files_;
  std::vector<std::string> names_;
};

void print_json(std::span<const std::string> pictures, const text::Tokenizer& tokenizer,
                const std::vector<generate::Generated>& results, int64_t prompt_tokens, const OrderedJson& timings) {
  OrderedJson json = answer_json(results.front(), pictures, tokenizer);
  size_t generated = 0;
  for (const generate::Generated& result : results) generated += result.tokens.size();
  if (results.size() > 1) {
    json["samples"] = OrderedJson::array();
    for (const generate::Generated& result : results) {
      OrderedJson sample = answer_json(result, pictures, tokenizer);
      sample["tokens"] = {{"generated", result.tokens.size()}};
      json["samples"].push_back(sample);
    }
  }
  json["tokens"] = {{"prompt", prompt_tokens}, {"generated", generated}};
  json["timings_ms"] = timings;
  std::puts(json.dump().c_str());
}

void ask(const AskOptions& options) {
  const Clock::time_point start = Clock::now();
  check_generate_flags(options.generate);  // a wrong setting is known before the model works
  require(options.generate.options.top_log_probabilities < 0 || options.json, ErrorKind::usage,
          "--logprobs needs --json, which has a place for them");
  const std::string question = read_question(options);
  std::vector<std::shared_ptr<const media::Image>> images;
  std::vector<std::string> pictures;  // their files
  models::ChatMessage message{.role = "user", .parts = {}};
  MediaFlags media = options.media;
  const std::unique_ptr<models::Checkpoint> checkpoint =
      models::Checkpoint::open(find_model(options.model), options.load);
  media.family = &models::family_of(*checkpoint);
  for (const std::string& file : options.files) {
    for (models::ChatPart& part : load_media_parts(file, media)) {
      if (part.image != nullptr) {
        images.push_back(part.image);
        pictures.push_back(file);
      }
      message.parts.push_back(std::move(part));
    }
  }
  message.parts.push_back({.text = question, .image = nullptr});
  std::optional<AnnotatedPictures> annotated;
  if (!options.annotate.empty()) annotated.emplace(options.annotate, images.size());
  const Clock::time_point decoded = Clock::now();
  const std::unique_ptr<models::Model> model = models::load_model(*checkpoint);
  model->configure_cache(cache_options(options.generate));
  const generate::GenerateOptions generate = generate_options(options.generate, model->tokenizer());
  const Clock::time_point loaded = Clock::now();
  const std::unique_ptr<models::ChatSession> session = model->start({&message, 1});
  const Clock::time_point prefilled = Clock::now();

  const auto show = [&](std::string_view piece) {
    if (options.json) return;
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    std::fflush(stdout);
  };
  const std::vector<generate::Generated> results =
      generate::generate_samples(*session, generate, options.samples, options.samples == 1 ? show : generate::OnText());
  // Answers that came at once are told one after another.
  for (size_t i = 0; results.size() > 1 && i < results.size(); ++i) {
    show(fmt::format("{}{}. {}", i == 0 ? "" : "\n", i + 1, results[i].answer.text));
  }
  const generate::Generated& result = results.front();
  const Clock::time_point end = Clock::now();
  const std::string report = annotated ? annotated->write(images, result.answer.boxes) : std::string();
  if (options.json) {
    print_json(pictures, model->tokenizer(), results, session->prompt_tokens(),
               {{"decode_media", milliseconds(start, decoded)},
                {"load_model", milliseconds(decoded, loaded)},
                {"prefill", milliseconds(loaded, prefilled)},
                {"generate", milliseconds(prefilled, end)},
                {"first_token", milliseconds(start, prefilled)},
                {"total", milliseconds(start, end)}});
  } else {
    std::fputs(("\n" + report).c_str(), stdout);
  }
  if (result.stop == generate::StopReason::interrupted) fail(ErrorKind::interrupted, "interrupted");
}

}  // namespace

void add_ask(CLI::App& app) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* command = app.add_subcommand("ask", "Answer a question about pictures, films, sounds, motion and text");
  command->add_option("question", options->question, "The question; - reads it from stdin")->required();
  command->add_option(
      "files", options->files,
      "Pictures: JPEG, PNG or WebP, also of thermal cameras; films with their sound: MP4, WebM and others; "
      "sounds: WAV, FLAC, and through ffmpeg MP3, OGG and others; motion: CSV, .npy; depth: 16-bit PNG, .npy");
  add_media_options(*command, options->media);
  command->add_option("--model,-m", options->model, "Folder or GGUF file of the model")->capture_default_str();
  add_load_options(*command, options->load);
  command
      ->add_option(
          "--annotate", options->annotate,
          "Write the picture with the answer's boxes to this PNG; several pictures: NAME-1.png, NAME-2.png ...")
      ->check(png_name_fault);
  add_generate_options(*command, options->generate);
  add_constraint_options(*command, options->generate);
  command->add_option("--samples", options->samples, "Answers to the one prompt; the seeds are seed, seed + 1, ...")
      ->capture_default_str()
      ->check(whole_number(1, 64));
  command
      ->add_option("--logprobs", options->generate.options.top_log_probabilities,
                   "With --json: log-probabilities of the answer's tokens and of this many alternatives (0..20)")
      ->check(whole_number(0, 20));
  command->add_flag("--json", options->json, "Print one JSON object: answer, boxes (pixels), tokens, timings");
  command->footer(
      "Examples:\n"
      "  sensorium ask \"How many people wear a safety helmet?\" site.jpg --annotate found.png\n"
      "  sensorium ask \"What do you hear?\" dog.wav\n"
      "  sensorium ask \"What happens here?\" clip.mp4\n"
      "  sensorium ask \"How many people are visible in the thermal image?\" night.png --as thermal\n"
      "  sensorium ask \"What is the person doing?\" walk.npy --as imu\n"
      "  echo \"What is the main object?\" | sensorium ask - photo.jpg --json");
  command->callback([options] { ask(*options); });
}

}  // namespace sensorium::cli
