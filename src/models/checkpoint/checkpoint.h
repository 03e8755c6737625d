// A published checkpoint that was opened: what it says of the model, whatever layout it is in. Everything is given as in
// Hugging Face's layout; layouts are a table in checkpoint.cpp.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "modality/image/processor.h"
#include "models/checkpoint/options.h"
#include "models/checkpoint/tensor_files.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sensorium::models {

class Adapter;

class Checkpoint {
 public:
  enum class Layout : uint8_t { huggingface, original_llava, original_imagebind, gguf };

  // Finds out the layout of a folder or file and reads its configuration. Throws Error: not_found, invalid_data,
  // unsupported.
  static std::unique_ptr<Checkpoint> open(const std::filesystem::path& path, const LoadOptions& options);
  virtual ~Checkpoint() = default;

  Layout layout() const { return layout_; }
  const std::filesystem::path& path() const { return path_; }  // the folder or file that was opened
  const std::string& name() const { return name_; }            // what a model is called that has no other name
  const LoadOptions& options() const { return options_; }
  // What config.json says: an object with a string "model_type", nulls left out; `where` is for messages.
  const Json& config() const { return config_; }
  const std::string& where() const { return where_; }

  // These throw Error that names the file.
  virtual std::shared_ptr<const text::Tokenizer> tokenizer() const = 0;
  // The checkpoint's own; none if it has none.
  virtual std::optional<text::ChatTemplate> chat_template() const = 0;
  // What preprocessor_config.json says.
  virtual modality::LocatedJson image_processor() const = 0;
  // Opens and checks the files of weights.
  virtual TensorFiles weights() const = 0;
  // Files beside the weights that go along when the model is converted: tokenizer, chat template, image processor.
  virtual std::vector<std::filesystem::path> companions() const;
  // What generation_config.json says; none if there is none.
  virtual std::optional<modality::LocatedJson> generation_config() const { return std::nullopt; }
  // An adapter that weights() does not have in it, since the matrices that it changes are packed; none if there is none.
  virtual const Adapter* beside() const { return nullptr; }
  // "eos_token_id" (a number or a list) of generation_config.json, else of the configuration or its "text_config".
  // Throws Error(invalid_data) for ids outside of the vocabulary.
  std::vector<int32_t> end_tokens(int64_t vocabulary) const;

 protected:
  Checkpoint(Layout layout, std::filesystem::path path, const LoadOptions& options);
  void set_config(Json config, std::string where);

 private:
  Layout layout_;
  std::filesystem::path path_;
  std::string name_;
  LoadOptions options_;
  Json config_;
  std::string where_;
};

// Those of the names of such files that are in a folder; of the tokenizer's alone.
enum class Companions : uint8_t { all, tokenizer };
std::vector<std::filesystem::path> find_companions(const std::filesystem::path& folder, Companions kind);

// The layouts; checkpoint.cpp has the table.
std::unique_ptr<Checkpoint> open_huggingface(const std::filesystem::path& folder, const LoadOptions& options);

}  // namespace sensorium::models
