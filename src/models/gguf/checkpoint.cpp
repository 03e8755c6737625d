#include "models/gguf/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/memory.h"
#include "io/gguf.h"
#include "models/gguf/config.h"
#include "models/gguf/names.h"
#include "text/gguf_tokenizer.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

bool is_gguf_name(const fs::path& path) { return path.extension() == ".gguf"; }
bool is_mmproj_name(const fs::path& path) { return path.filename().string().find("mmproj") != std::string::npos; }

// A file of a model in several ("...-00002-of-00003.gguf") that is not the first, which stands for all.
bool is_later_part(const fs::path& path) {
  const std::string name = path.stem().string();
  const size_t of = name.rfind("-of-");
  return of != std::string::npos && of >= 5 && name.find_first_not_of("0123456789", of - 5) == of &&
         name.compare(of - 5, 5, "00001") != 0;
}

// The files *.gguf of a folder, in the order of their names: those of vision towers, or the others.
std::vector<fs::path> list_files(const fs::path& folder, bool mmproj) {
  std::vector<fs::path> files;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    if (is_gguf_name(entry.path()) && !is_later_part(entry.path()) && is_mmproj_name(entry.path()) == mmproj) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string names_of(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  for (const fs::path& file : files) names.push_back(file.filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

// "" for a language model alone.
fs::path find_vision_file(const fs::path& model, const LoadOptions& options) {
  if (!options.mmproj.empty()) return options.mmproj;
  const std::vector<fs::path> files = list_files(fs::absolute(model).parent_path(), true);
  require(files.size() <= 1, ErrorKind::usage, "{}: several vision towers lie beside it ({}); choose one with --mmproj",
          model.string(), names_of(files));
  return files.empty() ? fs::path() : files[0];
}

using File = std::shared_ptr<const io::GgufFile>;

std::shared_ptr<const BlockRows> block_rows_of(const File& file, const std::string& name) {
  const io::GgufTensor& tensor = file->blocks(name);
  if (io::info_of(tensor.type).dtype || tensor.shape.rank() != 2 || tensor.shape.elements() == 0) return nullptr;
  const size_t width = tensor.blocks.size() / static_cast<size_t>(tensor.shape[0]);
  const std::span<const std::byte> bytes = tensor.blocks;
  return std::make_shared<BlockRows>(BlockRows{
      .type = tensor.type,
      .blocks = [file, bytes, width](int64_t row) { return bytes.subspan(static_cast<size_t>(row) * width, width); },
      .drop = [file, bytes] { drop_pages(bytes); }});
}

TensorFiles::Entry entry_of(const File& file, const std::string& name) {
  const io::GgufTensor& tensor = file->blocks(name);
  const std::optional<DType> plain = io::info_of(tensor.type).dtype;
  return {.shape = tensor.shape,
          .dtype = plain.value_or(DType::f32),
          .mapped = plain.has_value(),
          .file_name = name,
          .read = [file, name] { return file->tensor(name); },
          .blocks = block_rows_of(file, name)};
}

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(const fs::path& path, const LoadOptions& options)
      : Checkpoint(Layout::gguf, path, options),
        model_path_(gguf_model_file(path)),
        vision_path_(find_vision_file(model_path_, options)),
        model_(std::make_shared<io::GgufFile>(io::GgufFile::open(model_path_))) {
    require(!is_gguf_vision(*model_), ErrorKind::usage,
            "{}: holds a vision tower; give the file of its language model, and this one with --mmproj",
            model_path_.string());
    Json config = gguf_decoder_config(*model_, model_path_.string());
    heads_ = config.at("num_attention_heads").get<int64_t>();
    kv_heads_ = config.at("num_key_value_heads").get<int64_t>();
    in_pairs_ = config.at("model_type") == "llama";
    if (!vision_path_.empty()) {
      vision_ = std::make_shared<io::GgufFile>(io::GgufFile::open(vision_path_));
      require(is_gguf_vision(*vision_), ErrorKind::invalid_data, "{}: is no file of a vision tower",
              vision_path_.string());
      config = gguf_llava_config(config, *vision_, vision_path_.string());
    }
    set_config(std::move(config), "the metadata of " + model_path_.string());
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override {
    auto tokenizer = text::tokenizer_from_gguf(*model_);
    if (!tokenizer) throw tokenizer.error().with_context(model_path_.string());
    return std::move(tokenizer).value();
  }

  std::optional<text::ChatTemplate> chat_template() const override {
    auto found = text::chat_template_from_gguf(*model_);
    if (!found) throw found.error().with_context(model_path_.string());
    return std::move(found).value();
  }

  modality::LocatedJson image_processor() const override {
    require(vision_ != nullptr, ErrorKind::not_found, "{}: a language model alone prepares no pictures",
            model_path_.string());
    return {gguf_image_processor(*vision_, vision_path_.string()), vision_path_.string()};
  }

  TensorFiles weights() const override {
    TensorFiles files;
    const std::string prefix = vision_ ? "language_model." : "";
    for (const std::string& name : model_->names()) {
      if (name == "rope_freqs.weight") continue;  // part of the configuration
      const std::string ours = prefix + to_ours(gguf_decoder_names(), name).value_or(name);
      files.add(ours, in_pairs_ ? in_halves(ours, entry_of(model_, name)) : entry_of(model_, name));
    }
    if (vision_) add_vision(files);
    files.set_spelling([prefix](const std::string& name) {
      if (const auto vision = to_theirs(gguf_vision_names(), name)) return *vision;
      const std::string_view rest = std::string_view(name).substr(name.starts_with(prefix) ? prefix.size() : 0);
      return to_theirs(gguf_decoder_names(), rest).value_or(name);
    });
    return files;
  }

 private:
  // Rows of queries and keys in the order of this program.
  TensorFiles::Entry in_halves(const std::string& name, TensorFiles::Entry entry) const {
    const bool queries = name.find(".self_attn.q_proj.") != std::string::npos,
               keys = name.find(".self_attn.k_proj.") != std::string::npos;
    if (!queries && !keys) return entry;
    const int64_t heads = queries ? heads_ : kv_heads_;
    entry.mapped = false;
    entry.read = [read = entry.read, heads] { return reorder_head_rows(read(), heads, HeadRows::halves); };
    // Rows that are no heads of an even size are of another shape than the configuration's: read() says so.
    if (entry.blocks != nullptr && heads > 0 && entry.shape[0] % (2 * heads) == 0) {
      BlockRows rows = *entry.blocks;
      rows.blocks = [blocks = rows.blocks, size = entry.shape[0] / heads](int64_t row) {
        return blocks(source_row(row, size, HeadRows::halves));
      };
      entry.blocks = std::make_shared<BlockRows>(std::move(rows));
    } else {
      entry.blocks = nullptr;
    }
    return entry;
  }

  void add_vision(TensorFiles& files) const {
    const bool swapped = has_swapped_mlp(*vision_);
    for (const std::string& name : vision_->names()) {
      std::string ours = to_ours(gguf_vision_names(), name).value_or(name);
      if (const size_t at = ours.find(".mlp.fc"); swapped && at != std::string::npos) {
        char& number = ours[at + std::string_view(".mlp.fc").size()];
        number = number == '1' ? '2' : '1';
      }
      files.add(ours, entry_of(vision_, name));
    }
  }

  fs::path model_path_, vision_path_;
  File model_, vision_;  // vision_: null for a language model alone
  int64_t heads_ = 0, kv_heads_ = 0;
  bool in_pairs_ = false;
};

}  // namespace

fs::path gguf_model_file(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return path;
  const std::vector<fs::path> files = list_files(path, false);
  require(!files.empty(), ErrorKind::not_found, "{}: only a vision tower is there ({}); its language model is missing",
          path.string(), names_of(list_files(path, true)));
  require(files.size() == 1, ErrorKind::usage, "{}: holds several models ({}); give --model one of the files",
          path.string(), names_of(files));
  return files[0];
}

bool is_gguf(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return is_gguf_name(path);
  return !fs::exists(path / "config.json", code) &&
         (!list_files(path, false).empty() || !list_files(path, true).empty());
}

std::unique_ptr<Checkpoint> open_gguf(const fs::path& path, const LoadOptions& options) {
  return std::make_unique<GgufCheckpoint>(path, options);
}

}  // namespace sensorium::models
