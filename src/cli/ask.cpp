#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "generate/generate.h"
#include "media/decode.h"
#include "media/draw.h"
#include "media/encode.h"

namespace sensorium::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxTextBytes = size_t{16} << 20;

struct AskOptions {
  std::string question;
  std::vector<std::string> files;
  std::string model = "default", annotate;
  generate::GenerateOptions generate;
  bool json = false;
};

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

std::string read_question(const std::string& given) {
  std::string text = given == "-" ? read_file("/dev/stdin", kMaxTextBytes) : given;
  const size_t invalid = find_invalid_utf8(text);
  require(invalid == std::string::npos, ErrorKind::usage, "the question is not valid UTF-8 (byte {})", invalid);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  require(!text.empty(), ErrorKind::usage, "the question is empty");
  return text;
}

void write_annotated(const AskOptions& options, const std::vector<std::shared_ptr<const media::Image>>& images,
                     const std::vector<models::AnswerBox>& boxes) {
  require(!images.empty(), ErrorKind::usage, "--annotate needs a picture");
  std::vector<media::LabelledBox> drawn;
  int picture = boxes.empty() ? 0 : boxes.front().picture;
  for (const models::AnswerBox& box : boxes) {
    if (box.picture != picture) continue;
    drawn.push_back({.label = box.label, .score = box.score, .x0 = box.x0, .y0 = box.y0, .x1 = box.x1, .y1 = box.y1});
  }
  const media::Image annotated = media::annotate_boxes(*images[static_cast<size_t>(picture)], drawn);
  write_file_atomic(options.annotate, media::encode_png(annotated));
}

void print_json(const AskOptions& options, const generate::Generated& result, int64_t prompt_tokens,
                const OrderedJson& timings) {
  OrderedJson json;
  json["answer"] = result.answer.text;
  json["boxes"] = OrderedJson::array();
  for (const models::AnswerBox& box : result.answer.boxes) {
    OrderedJson entry{{"label", box.label}, {"box", {box.x0, box.y0, box.x1, box.y1}}, {"score", box.score}};
    if (options.files.size() > 1) entry["file"] = options.files[static_cast<size_t>(box.picture)];
    json["boxes"].push_back(entry);
  }
  json["tokens"] = {{"prompt", prompt_tokens}, {"generated", result.tokens.size()}};
  json["timings_ms"] = timings;
  std::puts(json.dump().c_str());
}

void ask(const AskOptions& options) {
  const Clock::time_point start = Clock::now();
  const std::string question = read_question(options.question);
  std::vector<std::shared_ptr<const media::Image>> images;
  models::ChatMessage message{.role = "user", .parts = {}};
  for (const std::string& file : options.files) {
    images.push_back(std::make_shared<media::Image>(media::load_image(file)));
    message.parts.push_back({.text = {}, .image = images.back()});
  }
  message.parts.push_back({.text = question, .image = nullptr});
  const Clock::time_point decoded = Clock::now();
  const std::unique_ptr<models::Model> model = open_model(options.model);
  const Clock::time_point loaded = Clock::now();
  const std::unique_ptr<models::ChatSession> session = model->start({&message, 1});
  const Clock::time_point prefilled = Clock::now();

  const generate::Generated result = generate::generate(*session, options.generate, [&](std::string_view piece) {
    if (options.json) return;
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    std::fflush(stdout);
  });
  const Clock::time_point end = Clock::now();
  if (!options.annotate.empty()) write_annotated(options, images, result.answer.boxes);
  if (options.json) {
    print_json(options, result, session->prompt_tokens(),
               {{"decode_media", milliseconds(start, decoded)},
                {"load_model", milliseconds(decoded, loaded)},
                {"prefill", milliseconds(loaded, prefilled)},
                {"generate", milliseconds(prefilled, end)},
                {"first_token", milliseconds(start, prefilled)},
                {"total", milliseconds(start, end)}});
  } else {
    std::fputc('\n', stdout);
    if (!options.annotate.empty())
      std::puts(fmt::format("{} boxes drawn into {}", result.answer.boxes.size(), options.annotate).c_str());
  }
  if (result.stop == generate::StopReason::interrupted) fail(ErrorKind::interrupted, "interrupted");
}

}  // namespace

void add_ask(CLI::App& app) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* command = app.add_subcommand("ask", "Answer a question about pictures and text");
  command->add_option("question", options->question, "The question; - reads it from stdin")->required();
  command->add_option("files", options->files, "Pictures: JPEG, PNG or WebP");
  command->add_option("--model,-m", options->model, "Folder of the model")->capture_default_str();
  command->add_option("--annotate", options->annotate, "Write the picture with the answer's boxes to this PNG");
  command->add_option("--temperature", options->generate.sampling.temperature, "0: always the likeliest token")
      ->capture_default_str();
  command
      ->add_option("--top-p", options->generate.sampling.top_p,
                   "Sample from the likeliest tokens of this total probability")
      ->capture_default_str();
  command->add_option("--top-k", options->generate.sampling.top_k, "Sample from this many tokens; 0: all")
      ->capture_default_str();
  command->add_option("--seed", options->generate.sampling.seed, "The same seed gives the same answer")
      ->capture_default_str();
  command->add_option("--max-tokens", options->generate.max_tokens, "Longest answer")->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object: answer, boxes (pixels), tokens, timings");
  command->footer(
      "Examples:\n"
      "  sensorium ask \"How many people wear a safety helmet?\" site.jpg --annotate found.png\n"
      "  echo \"What is the main object?\" | sensorium ask - photo.jpg --json");
  command->callback([options] { ask(*options); });
}

}  // namespace sensorium::cli
