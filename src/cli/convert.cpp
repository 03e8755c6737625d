#include <cstdio>

#include "base/file.h"
#include "cli/command.h"
#include "io/gguf_blocks.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/write.h"
#include "models/gguf/write.h"

namespace sensorium::cli {
namespace {
namespace fs = std::filesystem;

struct ConvertCommand {
  std::string from, to, layout, type;
  models::LoadOptions load;
  bool json = false;
};

// A type by its name in small letters: "q4_k".
const io::GgufTypeInfo& find_type(const std::string& name) {
  std::vector<std::string> names;
  for (const io::GgufTypeInfo& info : io::gguf_types()) {
    if (!io::can_quantize(info.type)) continue;
    std::string small(info.name);
    for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (small == name) return info;
    names.push_back(small);
  }
  fail(ErrorKind::usage, "--type {} is none of {}", name, fmt::join(names, ", "));
}

void convert(const ConvertCommand& command) {
  std::optional<io::GgufType> type;
  std::optional<DType> dtype;
  if (!command.type.empty()) {
    const io::GgufTypeInfo& info = find_type(command.type);
    type = info.type;
    dtype = info.dtype;
  }
  const bool to_gguf = command.layout == "gguf";
  require(to_gguf || command.type.empty() || dtype, ErrorKind::usage,
          "--type {} is a type of GGUF; safetensors hold f32, f16 and bf16", command.type);
  const std::unique_ptr<models::Checkpoint> checkpoint = models::Checkpoint::open(command.from, command.load);
  require(!to_gguf || checkpoint->layout() != models::Checkpoint::Layout::gguf, ErrorKind::usage, "{} is GGUF already",
          command.from);
  AtomicFolder folder(command.to);
  if (to_gguf) {
    models::write_gguf_model(*checkpoint, folder.staging(), type);
  } else {
    models::write_huggingface(*checkpoint, folder.staging(), dtype);
  }
  OrderedJson files = OrderedJson::object();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.staging())) {
    files[entry.path().filename().string()] = entry.file_size();
  }
  folder.commit();
  if (command.json) {
    std::puts(OrderedJson{{"folder", command.to}, {"layout", command.layout}, {"files", files}}.dump().c_str());
    return;
  }
  for (const auto& [name, bytes] : files.items()) {
    std::puts(fmt::format("{}: {} bytes", (fs::path(command.to) / name).string(), bytes.get<uint64_t>()).c_str());
  }
}

}  // namespace

void add_convert(CLI::App& app) {
  auto command = std::make_shared<ConvertCommand>();
  CLI::App* verb = app.add_subcommand("convert", "Convert a model between Hugging Face's layout and GGUF");
  verb->add_option("from", command->from,
                   "Model: a folder in Hugging Face's or LLaVA's own layout, a GGUF file, or a folder with a GGUF pair")
      ->required();
  verb->add_option("out", command->to, "New folder; it appears when all is written")->required();
  verb->add_option("--to", command->layout, "safetensors (Hugging Face's layout) or gguf (model.gguf, mmproj.gguf)")
      ->required()
      ->check(CLI::IsMember({"safetensors", "gguf"}));
  verb->add_option("--type", command->type,
                   "Type of the matrices: f32, f16, bf16; for gguf also q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k "
                   "(default: as they are; blocks of GGUF become f32)");
  verb->add_option("--mmproj", command->load.mmproj,
                   "GGUF file of the vision tower (default: looked for beside the model)");
  verb->add_option("--tower", command->load.tower, "Folder of the vision tower, for LLaVA's own layout");
  verb->add_option("--adapter", command->load.adapter,
                   "Folder of a PEFT adapter (LoRA) that is merged into the weights");
  verb->add_flag("--json", command->json, "Print one JSON object: folder, layout, files");
  verb->footer(
      "One tensor is in memory at a time.\n"
      "Examples:\n"
      "  sensorium convert llava-1.5-7b-hf llava-gguf --to gguf --type q4_k\n"
      "  sensorium convert model.gguf llama-hf --to safetensors --type f16\n"
      "  sensorium convert llava-1.5-7b-hf merged --to safetensors --adapter my-adapter");
  verb->callback([command] { convert(*command); });
}

}  // namespace sensorium::cli
