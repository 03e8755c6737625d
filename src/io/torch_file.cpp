#include "io/torch_file.h"

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "base/utf8.h"
#include "io/errors.h"
#include "io/zip.h"

namespace sensorium::io {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What a file that is no archive is, as far as its first bytes tell.
Error not_an_archive(std::span<const std::byte> bytes) {
  // The magic number of torch.save before 1.6, pickled: an integer of ten bytes.
  constexpr std::string_view kLegacyMagic("\x8A\x0Al\xFC\x9C\x46\xF9 j\xA8P\x19", 12);
  constexpr size_t kTarMagicAt = 257;
  const std::string_view text = as_text(bytes);
  if (text.substr(0, 64).find(kLegacyMagic) != std::string_view::npos ||
      text.substr(0, 262).substr(std::min(kTarMagicAt, text.size())) == "ustar") {
    return unsupported("the format of PyTorch before 1.6; load it in PyTorch and torch.save it again");
  }
  return invalid("not a PyTorch checkpoint, or its start is damaged");
}

}  // namespace

TorchFile TorchFile::open(const std::filesystem::path& path, TorchNames names) {
  auto map = std::make_shared<MappedFile>(path);
  Result<TorchFile> file = parse(map->bytes(), map, names);
  if (!file) throw file.error().with_context(path.string());
  return std::move(file).value();
}

Result<TorchFile> TorchFile::parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                   TorchNames names) {
  if (!looks_like_zip(bytes)) return not_an_archive(bytes);
  const Result<std::vector<ZipEntry>> entries = read_stored_zip(bytes);
  if (!entries) return entries.error().with_context("PyTorch archive");
  if (entries.value().empty()) return invalid("an empty archive, not a PyTorch checkpoint");
  // All entries stand in one folder, whose name is that of the file when it was saved.
  const std::string& first = entries.value().front().name;
  const std::string folder = first.substr(0, first.find('/') + 1);
  const std::string pickle_name = folder + "data.pkl", storage_folder = folder + "data/";
  std::span<const std::byte> pickle_bytes;
  bool has_pickle = false;
  TorchStorages storages;
  for (const ZipEntry& entry : entries.value()) {
    if (entry.name == pickle_name) {
      pickle_bytes = entry.bytes;
      has_pickle = true;
    } else if (entry.name.starts_with(storage_folder)) {
      storages.emplace(entry.name.substr(storage_folder.size()), entry.bytes);
    } else if (entry.name == folder + "byteorder" && as_text(entry.bytes) != "little") {
      return unsupported("byte order \"{}\", expected little", repair_utf8(as_text(entry.bytes).substr(0, 16)));
    } else if (entry.name == folder + "constants.pkl") {
      return unsupported("a TorchScript archive; save its state_dict() with torch.save");
    }
  }
  if (!has_pickle) return invalid("the archive holds no {}: not a PyTorch checkpoint", pickle_name);
  const Result<Pickle> pickle = unpickle(pickle_bytes);
  if (!pickle) return pickle.error().with_context(pickle_name);
  Result<std::vector<NamedTorchTensor>> tensors = collect_tensors(pickle.value(), storages, names);
  if (!tensors) return tensors.error();
  TorchFile file;
  file.owner_ = std::move(owner);
  for (NamedTorchTensor& entry : tensors.value()) {
    file.names_.push_back(entry.name);
    file.tensors_.emplace(std::move(entry.name), std::move(entry.tensor));
  }
  return file;
}

Tensor TorchFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), ErrorKind::not_found, "no tensor {} in the file", name);
  return to_tensor(found->second, owner_);
}

}  // namespace sensorium::io
