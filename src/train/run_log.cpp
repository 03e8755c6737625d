#include "train/run_log.h"

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "media/plot.h"

namespace sensorium::train {
namespace {

constexpr const char* kLines = "train.jsonl";

OrderedJson to_json(const StepRecord& record) {
  OrderedJson json{{"step", record.step}};
  if (std::isfinite(record.loss)) json["loss"] = record.loss;
  for (const auto& [name, value] : record.parts) {
    if (std::isfinite(value)) json[name] = value;
  }
  json["learning_rate"] = record.learning_rate;
  json["grad_norm"] = record.grad_norm;
  json["tokens_per_s"] = record.tokens_per_s;
  json["images_per_s"] = record.images_per_s;
  return json;
}

}  // namespace

RunLog::RunLog(std::filesystem::path directory, int64_t resumed_step) : directory_(std::move(directory)) {
  const std::filesystem::path path = directory_ / kLines;
  std::string kept;
  if (resumed_step > 0 && std::filesystem::exists(path)) {
    std::ifstream old(path);
    for (std::string line; std::getline(old, line);) {
      const Result<Json> parsed = parse_json(line);
      if (!parsed || !parsed.value().is_object()) break;  // a line cut off by a crash
      const Json& json = parsed.value();
      if (!json.contains("step") || json.at("step").get<int64_t>() > resumed_step) break;
      history_.push_back({.step = json.at("step").get<int64_t>(), .loss = json.value("loss", std::nan(""))});
      kept += line + "\n";
    }
  }
  write_file_atomic(path, kept);
  lines_.open(path, std::ios::app);
  require(lines_.good(), ErrorKind::io, "{}: cannot write", path.string());
}

void RunLog::add(const StepRecord& record) {
  lines_ << to_json(record).dump() << '\n' << std::flush;
  require(lines_.good(), ErrorKind::io, "{}: cannot write (is the disk full?)", (directory_ / kLines).string());
  if (events_ == nullptr) events_ = std::make_unique<io::EventWriter>(directory_);
  if (std::isfinite(record.loss)) events_->scalar("train/loss", record.step, static_cast<float>(record.loss));
  events_->scalar("train/learning_rate", record.step, static_cast<float>(record.learning_rate));
  events_->scalar("train/grad_norm", record.step, static_cast<float>(record.grad_norm));
  for (const auto& [name, value] : record.parts) {
    if (std::isfinite(value)) events_->scalar("train/" + name, record.step, static_cast<float>(value));
  }
  history_.push_back(record);
}

void RunLog::write_plot() const {
  media::PlotSeries raw{.name = "loss", .points = {}}, smooth{.name = "mean of the last steps", .points = {}};
  double average = 0;
  for (const StepRecord& record : history_) {
    if (!std::isfinite(record.loss)) continue;
    average = raw.points.empty() ? record.loss : 0.95 * average + 0.05 * record.loss;
    raw.points.emplace_back(static_cast<double>(record.step), record.loss);
    smooth.points.emplace_back(static_cast<double>(record.step), average);
  }
  media::PlotSpec spec;
  spec.title = "Training loss";
  spec.x_label = "step";
  spec.y_label = "loss";
  spec.series = {raw, smooth};
  write_file_atomic(directory_ / "loss.svg", media::line_plot_svg(spec));
}

}  // namespace sensorium::train
