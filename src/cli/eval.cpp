#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "cli/command.h"
#include "cli/options.h"
#include "eval/compare.h"
#include "eval/suite.h"
#include "eval/tasks/task.h"
#include "models/open.h"

namespace sensorium::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct EvalCommand {
  std::string model = "default";
  models::LoadOptions load;
  eval::EvalOptions options;
  std::string compare;
  std::vector<std::string> names;
  bool json = false;
};

// One line on the terminal, rewritten a few times a second.
class Progress {
 public:
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  void show(int64_t done, int64_t total) {
    const Clock::time_point now = Clock::now();
    if (done < total && now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    shown_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double left = seconds / static_cast<double>(done) * static_cast<double>(total - done);
    std::fputs(fmt::format("\r\033[K{}/{} records, {:.0f} s left", done, total, left).c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  Clock::time_point start_ = Clock::now(), last_{};
  bool shown_ = false;
};

void print_table(const eval::EvalReport& report) {
  std::puts(fmt::format("{} on {}: {} records", report.model, report.data, report.records).c_str());
  for (const eval::EvalResult& result : report.results) {
    std::string subject = result.task;
    if (!result.question.empty()) subject += fmt::format(" \"{}\"", result.question);
    if (!result.label.empty()) subject += fmt::format(" ({})", result.label);
    std::puts(fmt::format("{}, n = {}", subject, result.n).c_str());
    for (const auto& [name, metric] : result.metrics) {
      std::puts(
          fmt::format("  {:<12} {:8.4g}   95 % [{:.4g}, {:.4g}]", name, metric.value, metric.ci95.low, metric.ci95.high)
              .c_str());
    }
  }
}

void run_comparison(const EvalCommand& command) {
  const std::unique_ptr<models::Checkpoint> checkpoint =
      models::Checkpoint::open(find_model(command.model), command.load);
  const std::unique_ptr<models::Model> model = models::load_model(*checkpoint);
  const std::unique_ptr<models::Model> reference = models::load_model(find_model(command.compare), DType::f32);
  eval::CompareOptions options{
      .data = command.options.data, .family = &models::family_of(*checkpoint), .prompts = command.options.limit};
  eval::Comparison comparison;
  {
    Progress progress;
    if (isatty(STDERR_FILENO)) {
      options.on_progress = [&](int64_t done, int64_t total) { progress.show(done, total); };
    }
    comparison = eval::compare_models(*reference, *model, options);
  }
  if (command.json) {
    OrderedJson json{{"model", command.model}, {"reference", command.compare}, {"data", command.options.data}};
    json.update(comparison.to_json());
    std::puts(json.dump().c_str());
    return;
  }
  std::puts(fmt::format("{} beside {} in f32, {} prompts, {} tokens:\n"
                        "  KL of the next token     mean {:.5f} nats, 99th percentile {:.5f}\n"
                        "  same token               {:.2f} %\n"
                        "  same whole continuation  {:.2f} %",
                        command.model, command.compare, comparison.prompts, comparison.tokens, comparison.mean_kl,
                        comparison.p99_kl, 100 * comparison.same_token, 100 * comparison.same_continuation)
                .c_str());
}

void run_eval(EvalCommand command) {
  if (!command.compare.empty()) return run_comparison(command);
  for (const std::string& name : command.names) {
    const size_t at = name.find('=');
    require(at != std::string::npos && at > 0 && at + 1 < name.size(), ErrorKind::usage,
            "--name {}: expected CLASS=NAME, for example \"dog bark=dog\"", name);
    command.options.names[name.substr(0, at)] = name.substr(at + 1);
  }
  const std::unique_ptr<models::Checkpoint> checkpoint =
      models::Checkpoint::open(find_model(command.model), command.load);
  const std::unique_ptr<models::Model> model = models::load_model(*checkpoint);
  command.options.family = &models::family_of(*checkpoint);
  eval::EvalReport report;
  {
    Progress progress;
    if (isatty(STDERR_FILENO)) {
      command.options.on_progress = [&](int64_t done, int64_t total) { progress.show(done, total); };
    }
    report = eval::evaluate(*model, command.model, command.options);
  }
  if (command.json) {
    std::puts(report.to_json().dump().c_str());
  } else {
    print_table(report);
  }
}

std::string task_help() {
  std::string help = "One task instead of all that the records carry:";
  for (const eval::TaskEntry& entry : eval::task_table())
    help += fmt::format("\n{}: {}", entry.name, entry.description);
  return help;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* verb = app.add_subcommand("eval", "Run a model over a data set and report metrics with 95 % intervals");
  verb->add_option("--data,-d", command->options.data,
                   "Data set: JSON lines, a JSON list, or a folder of class folders")
      ->required();
  verb->add_option("--model,-m", command->model, "Folder of the model")->capture_default_str();
  add_load_options(*verb, command->load);
  verb->add_option("--task,-t", command->options.task, task_help());
  verb->add_option("--with", command->options.with,
                   "Further data sets, whose records count as the first one's: for the task 'across'")
      ->allow_extra_args(false);
  verb->add_option("--name", command->names, "CLASS=NAME: what a class of the data is called instead")
      ->allow_extra_args(false);
  verb->add_option("--validation", command->options.validation,
                   "Only the part of a training file that a recipe with this validation_fraction leaves out")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--limit", command->options.limit, "Only the first records; 0: all")
      ->capture_default_str()
      ->check(whole_number(0));
  verb->add_option("--max-tokens", command->options.max_tokens, "Longest answer")
      ->capture_default_str()
      ->check(whole_number(1));
  verb->add_option("--resamples", command->options.bootstrap.resamples, "Bootstrap resamples of the intervals")
      ->capture_default_str()
      ->check(whole_number(1));
  verb->add_option("--compare", command->compare,
                   "Instead of metrics: how far the model is from this one in f32, token by token along its greedy "
                   "answers; --limit counts questions");
  verb->add_flag("--json", command->json, "Print one JSON object: model, data, results");
  verb->footer(
      "Examples:\n"
      "  sensorium eval --data hardhat/test.jsonl\n"
      "  sensorium eval --model runs/mine/model --data my.jsonl --task qa --limit 100 --json\n"
      "  sensorium eval --task across --data oxford_pets/test.jsonl --with esc10/test.jsonl --name \"dog bark=dog\"\n"
      "  sensorium eval --model llava-1.5-7b-hf --adapter runs/lora/adapter --data vqa-rad/test.json --json\n"
      "  sensorium eval --model small --compare default --data my.jsonl --limit 100");
  verb->callback([command] { run_eval(*command); });
}

}  // namespace sensorium::cli
