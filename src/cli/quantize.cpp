#include <unistd.h>

#include <cstdio>

#include "cli/command.h"
#include "models/quantize.h"

namespace sensorium::cli {
namespace {

struct QuantizeCommand {
  std::string from, to;
  models::QuantizeOptions options;
  bool json = false;
};

void quantize(QuantizeCommand command) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) {
    command.options.progress = [](int64_t done, int64_t all) {
      std::fputs(fmt::format("\r\033[K{}/{} tensors", done, all).c_str(), stderr);
      std::fflush(stderr);
    };
  }
  const models::QuantizeReport report = models::quantize_model(find_model(command.from), command.to, command.options);
  if (terminal) std::fputs("\r\033[K", stderr);
  if (command.json) {
    std::puts(OrderedJson{{"model", command.to},
                          {"tensors", report.tensors},
                          {"packed", report.packed},
                          {"parameters", report.parameters},
                          {"bytes", report.bytes},
                          {"bits_per_parameter", report.bits_per_parameter()}}
                  .dump()
                  .c_str());
  } else {
    std::puts(fmt::format("{}: {} tensors, {} of them packed, {:.1f} MB, {:.2f} bits a parameter", command.to,
                          report.tensors, report.packed, static_cast<double>(report.bytes) / 1e6,
                          report.bits_per_parameter())
                  .c_str());
  }
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto command = std::make_shared<QuantizeCommand>();
  CLI::App* verb =
      app.add_subcommand("quantize", "Write a model with weights of 4 or 8 bits, laid out for this program");
  verb->add_option("model", command->from, "Folder of the model, or \"default\"")->required();
  verb->add_option("folder", command->to, "New folder for the quantised model")->required();
  verb->add_option(
      "--type,-t", command->options.type,
      "Weights of the decoder: q4 (the default), q8 or bf16; with another group of values per scale as in q4/32 (a "
      "multiple of 32 up to 640). The matrix of the logits has 8 bits with q4. Of a model without a decoder: of its "
      "towers, q8/640 by default");
  verb->add_option(
      "--towers", command->options.towers,
      "Weights of the vision and text towers, projectors and task heads: q8, bf16, q4 (default: q8; bf16 with "
      "--type bf16)");
  verb->add_flag("--json", command->json,
                 "Print one JSON object: model, tensors, packed, parameters, bytes, bits_per_parameter");
  verb->footer(
      "Examples:\n"
      "  sensorium quantize llava-1.5-7b-hf llava-1.5-7b-q4 --type q4\n"
      "  sensorium quantize default small --type q8 --towers bf16\n"
      "  sensorium eval --model small --compare default --data questions.jsonl");
  verb->callback([command] { quantize(*command); });
}

}  // namespace sensorium::cli
