#include "models/imagebind/original_layout.h"

#include <algorithm>
#include <array>
#include <variant>

#include "io/safetensors.h"
#include "io/torch_file.h"
#include "models/imagebind/config.h"
#include "text/registry.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

// A causal mask, kept as a buffer: nothing that was learned.
constexpr const char* kMask = "modality_preprocessors.text.mask";
constexpr std::array<std::string_view, 4> kExtensions = {".pth", ".pt", ".bin", ".safetensors"};

// The file itself, or the only .pth of a folder; "" if there is none.
fs::path weights_file(const fs::path& path) {
  std::error_code code;
  if (fs::is_regular_file(path, code)) {
    return std::ranges::find(kExtensions, path.extension().string()) == kExtensions.end() ? fs::path() : path;
  }
  if (!fs::is_directory(path, code) || fs::exists(path / "config.json", code)) return {};
  fs::path found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, code)) {
    if (entry.path().extension() != ".pth") continue;
    if (!found.empty()) return {};
    found = entry.path();
  }
  return found;
}

template <typename File>
void add_all(TensorFiles& files, const File& file) {
  for (const std::string& name : file.names()) {
    if (name != kMask) files.add(name, file.tensor(name));
  }
}

class OriginalImagebind : public Checkpoint {
 public:
  OriginalImagebind(const fs::path& path, const LoadOptions& options)
      : Checkpoint(Layout::original_imagebind, path, options), file_(weights_file(path)) {
    if (file_.extension() == ".safetensors") {
      add_all(files_, io::SafetensorsFile::open(file_));
    } else {
      add_all(files_, io::TorchFile::open(file_));
    }
    set_config(imagebind_config_of(files_, file_.string()), file_.string());
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return text::load_tokenizer(tokenizer_folder()); }
  std::vector<fs::path> companions() const override {
    return find_companions(tokenizer_folder(), Companions::tokenizer);
  }

  std::optional<text::ChatTemplate> chat_template() const override { return std::nullopt; }
  // What the reference does, which is CLIP's.
  modality::LocatedJson image_processor() const override { return {Json::object(), where()}; }
  TensorFiles weights() const override { return files_; }

 private:
  // The file's own, or "bpe" inside it if that has a tokenizer and the file's has none.
  fs::path tokenizer_folder() const {
    const fs::path folder = fs::absolute(file_).parent_path();
    const bool inside = find_companions(folder, Companions::tokenizer).empty() &&
                        !find_companions(folder / "bpe", Companions::tokenizer).empty();
    return inside ? folder / "bpe" : folder;
  }

  fs::path file_;
  TensorFiles files_;
};

}  // namespace

bool is_original_imagebind(const fs::path& path) { return !weights_file(path).empty(); }

std::unique_ptr<Checkpoint> open_original_imagebind(const fs::path& path, const LoadOptions& options) {
  return std::make_unique<OriginalImagebind>(path, options);
}

}  // namespace sensorium::models
