#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "cli/embed_inputs.h"
#include "cli/options.h"
#include "media/decode.h"
#include "media/encode.h"
#include "models/embedding/locate.h"
#include "models/embedding/vectors.h"

namespace sensorium::cli {
namespace {

constexpr size_t kShownWindows = 5;

struct LocateCommand {
  std::unique_ptr<EmbedArguments> arguments;
  std::string model = "default", heatmap;
  models::LoadOptions load;
  double frames_per_s = 1;
  bool json = false;
};

OrderedJson locate_in_picture(const LocateCommand& command, const models::Embedder& embedder, const std::string& file,
                              const Tensor& query) {
  const media::Image image = media::load_image(file);
  const std::vector<models::ScoredWindow> windows = models::score_windows(embedder, image, query);
  if (!command.heatmap.empty()) {
    media::save_image(models::draw_heat(image, models::heat_of(windows, image.width, image.height)), command.heatmap);
  }
  OrderedJson found = OrderedJson::array();
  for (size_t i = 0; i < windows.size() && (command.json || i < kShownWindows); ++i) {
    const models::ScoredWindow& w = windows[i];
    found.push_back({{"box", {w.x, w.y, w.x + w.width, w.y + w.height}}, {"cosine", w.cosine}});
  }
  return found;
}

OrderedJson locate_in_film(const LocateCommand& command, const models::Embedder& embedder, const std::string& file,
                           const Tensor& query) {
  require(command.heatmap.empty(), ErrorKind::usage, "--heatmap is drawn into a picture, {} is a film", file);
  std::vector<models::ScoredMoment> moments = models::score_moments(embedder, file, query, command.frames_per_s);
  if (!command.json) std::ranges::stable_sort(moments, std::ranges::greater(), &models::ScoredMoment::cosine);
  OrderedJson found = OrderedJson::array();
  for (const models::ScoredMoment& moment : moments) {
    found.push_back({{"time_s", moment.time_s}, {"cosine", moment.cosine}});
  }
  return found;
}

void locate(const LocateCommand& command) {
  const auto [items, file] = command.arguments->load_before_last();
  require(items.size() == 1, ErrorKind::usage, "{} queries; give one, then the picture or film", items.size());
  const std::optional<models::InputSense> sense = models::sense_of_file(file);
  const bool film = sense == models::InputSense::video;
  require(film || sense == models::InputSense::image, ErrorKind::usage,
          "{}: is neither picture nor film; the one to look in stands last", file);
  const std::unique_ptr<models::Model> model = open_model(command.model, command.load);
  const models::Embedder& embedder = require_embedder(*model, command.model);
  const Tensor query = models::combine(embedder.embed(items[0].terms), items[0].weights);
  const OrderedJson found =
      film ? locate_in_film(command, embedder, file, query) : locate_in_picture(command, embedder, file, query);
  if (command.json) {
    std::puts(
        OrderedJson{{"query", items[0].name}, {"file", file}, {film ? "moments" : "windows", found}}.dump().c_str());
    return;
  }
  for (const Json one : found) {
    const double cosine = one.at("cosine").get<double>();
    if (film) {
      std::puts(fmt::format("{:7.4f}  {:.2f} s", cosine, one.at("time_s").get<double>()).c_str());
    } else {
      const auto box = one.at("box").get<std::vector<int>>();
      std::puts(fmt::format("{:7.4f}  x {}..{}, y {}..{}", cosine, box[0], box[2], box[1], box[3]).c_str());
    }
  }
}

}  // namespace

void add_locate(CLI::App& app) {
  auto command = std::make_shared<LocateCommand>();
  CLI::App* verb = app.add_subcommand("locate", "Show where in a picture, or when in a film, something is");
  command->arguments = std::make_unique<EmbedArguments>(
      *verb, "A sound, text or other file (a + b joins several), then the picture or film", 2);
  verb->add_option("--model,-m", command->model,
                   "Folder or file of a model with a joint space (ImageBind, CLIP, SigLIP)")
      ->capture_default_str();
  add_load_options(*verb, command->load);
  verb->add_option("--heatmap", command->heatmap, "Draw the picture coloured by how near each place is: .png or .jpg");
  verb->add_option("--fps", command->frames_per_s, "Frames of a film to look at, a second")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 60.0));
  verb->add_flag("--json", command->json, "Print one JSON object: windows (box in pixels, cosine) or moments");
  verb->footer(
      "Examples:\n"
      "  sensorium locate --model imagebind_huge.pth bark.wav street.jpg --heatmap where.png\n"
      "  sensorium locate --model imagebind_huge.pth \"a dog jumps\" film.mp4 --fps 4");
  verb->callback([command] { locate(*command); });
}

}  // namespace sensorium::cli
