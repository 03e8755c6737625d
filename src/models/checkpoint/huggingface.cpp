// A folder in Hugging Face's layout: config.json, generation_config.json, preprocessor_config.json, a tokenizer, a chat
// template, and weights in one file or in shards.
#include "io/checkpoint_folder.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/folder.h"
#include "text/registry.h"

namespace sensorium::models {
namespace {

class HuggingFaceFolder : public Checkpoint {
 public:
  HuggingFaceFolder(const std::filesystem::path& folder, const LoadOptions& options)
      : Checkpoint(Layout::huggingface, folder, options) {
    set_config(read_json_file(folder / "config.json"), (folder / "config.json").string());
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return text::load_tokenizer(path()); }

  std::optional<text::ChatTemplate> chat_template() const override { return text::read_chat_template(path()).value(); }

  modality::LocatedJson image_processor() const override { return modality::read_processor_json(path()); }

  TensorFiles weights() const override {
    const io::CheckpointFolder folder = io::CheckpointFolder::open(path());
    TensorFiles files;
    for (const std::string& name : folder.names()) files.add(name, folder.tensor(name));
    return files;
  }

 private:
  std::optional<modality::LocatedJson> generation_config() const override {
    const std::filesystem::path file = path() / "generation_config.json";
    if (!std::filesystem::exists(file)) return std::nullopt;
    return modality::LocatedJson{read_json_file(file), file.string()};
  }
};

}  // namespace

std::unique_ptr<Checkpoint> open_huggingface(const std::filesystem::path& folder, const LoadOptions& options) {
  return std::make_unique<HuggingFaceFolder>(folder, options);
}

}  // namespace sensorium::models
