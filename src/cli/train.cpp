#include <cstdio>

#include "cli/command.h"
#include "train/run.h"

namespace sensorium::cli {

void add_train(CLI::App& app) {
  struct Options {
    std::string recipe;
    std::vector<std::string> overrides;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("train", "Train a model by a recipe; the same command resumes a stopped run");
  command->add_option("recipe", options->recipe, "Recipe file (YAML)")->required();
  command->add_option("overrides", options->overrides,
                      "key=value, for example out=runs/a train.steps=100 data.train=my.jsonl");
  command->add_flag("--json", options->json, "Print one JSON object at the end");
  command->footer(
      "The run's folder receives train.jsonl, TensorBoard events, loss.svg, checkpoints/ and model/ (what ask,\n"
      "eval and inspect take). docs/training.md describes every key of a recipe, docs/data.md the formats of your "
      "data.\n"
      "A published LLaVA learns by recipes/llava-*.yaml, from init=FOLDER; with \"lora\" the run's result is "
      "adapter/.\n"
      "Examples:\n"
      "  sensorium train recipes/tiny.yaml out=runs/tiny train.steps=200\n"
      "  sensorium train recipes/llava-2-lora.yaml init=llava-1.5-7b-hf data.train=chats.json out=runs/lora");
  command->callback([options] {
    const train::RunSummary summary = train::run_recipe(train::Recipe::load(options->recipe, options->overrides));
    if (options->json) {
      std::puts(OrderedJson{{"out", summary.out.string()},
                            {"model", summary.model.string()},
                            {"steps", summary.steps},
                            {"loss", summary.loss},
                            {"sequences", summary.sequences},
                            {"too_long", summary.too_long}}
                    .dump()
                    .c_str());
    } else {
      std::puts(
          fmt::format("{} steps, {} in {}", summary.steps, summary.model.filename().string(), summary.model.string())
              .c_str());
    }
  });
}

}  // namespace sensorium::cli
