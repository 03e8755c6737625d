// Models in several files: NAME-00001-of-00003.gguf, which has all metadata, and its successors, which have tensors.
// Source: llama.cpp's gguf-split (keys split.no, split.count, split.tensors.count).
#include "io/gguf.h"

#include "base/file.h"

namespace sensorium::io {
namespace {

constexpr const char *kNumber = "split.no", *kCount = "split.count", *kTensors = "split.tensors.count";

std::string suffix(uint64_t number, uint64_t count) { return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count); }

}  // namespace

void GgufFile::add_splits(const std::filesystem::path& path) {
  const auto count = get_or<uint64_t>(kCount, 1);
  if (count <= 1) return;
  const std::string name = path.filename().string();
  const auto number = get_or<uint64_t>(kNumber, 0);
  const std::string end = suffix(number, count);
  require(number < count && name.ends_with(end), ErrorKind::invalid_data,
          "it is part {} of {}, which must be called NAME{}", number + 1, count, end);
  const std::string stem = name.substr(0, name.size() - end.size());
  require(number == 0, ErrorKind::invalid_data, "it is part {} of {}: open the first, {}{}", number + 1, count, stem,
          suffix(0, count));
  auto owners = std::make_shared<std::vector<std::shared_ptr<const void>>>();
  owners->push_back(owner_);
  for (uint64_t i = 1; i < count; ++i) {
    const std::filesystem::path next = path.parent_path() / (stem + suffix(i, count));
    auto map = std::make_shared<MappedFile>(next);
    Result<GgufFile> parsed = parse(map->bytes(), map);
    if (!parsed) throw parsed.error().with_context(next.string());
    const GgufFile& part = parsed.value();
    require(part.get_or<uint64_t>(kNumber, 0) == i && part.get_or<uint64_t>(kCount, 1) == count,
            ErrorKind::invalid_data, "{}: it says that it is part {} of {}", next.string(),
            part.get_or<uint64_t>(kNumber, 0) + 1, part.get_or<uint64_t>(kCount, 1));
    for (const std::string& tensor : part.names()) {
      require(tensors_.emplace(tensor, part.blocks(tensor)).second, ErrorKind::invalid_data,
              "{}: tensor {} stands in another part too", next.string(), tensor);
      names_.push_back(tensor);
    }
    owners->push_back(part.owner());
  }
  require(!has(kTensors) || get<uint64_t>(kTensors) == names_.size(), ErrorKind::invalid_data,
          "its {} parts have {} tensors, expected {}", count, names_.size(), get_or<uint64_t>(kTensors, 0));
  owner_ = std::move(owners);
}

}  // namespace sensorium::io
