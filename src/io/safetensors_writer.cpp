#include "io/safetensors_writer.h"

namespace sensorium::io {

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<NamedShape>& entries,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path.string()), file_(path) {
  const std::string header = safetensors_header(path_, entries, metadata);
  file_.write(header.data(), header.size());
  bytes_ = header.size();
  for (const NamedShape& entry : entries) {
    places_[entry.name] = {entry.dtype, entry.shape, bytes_};
    missing_.insert(entry.name);
    bytes_ += static_cast<uint64_t>(entry.shape.elements()) * size_of(entry.dtype);
  }
}

void SafetensorsWriter::put(const std::string& name, const Tensor& tensor) {
  const auto found = places_.find(name);
  require(found != places_.end() && found->second.dtype == tensor.dtype() && found->second.shape == tensor.shape(),
          ErrorKind::usage, "{}: tensor {} {} {} was not announced", path_, name, name_of(tensor.dtype()),
          tensor.shape());
  require(missing_.erase(name) == 1, ErrorKind::usage, "{}: tensor {} comes twice", path_, name);
  file_.write_at(found->second.offset, tensor.raw(), tensor.bytes());
}

void SafetensorsWriter::commit() {
  require(missing_.empty(), ErrorKind::usage, "{}: tensor {} has not come", path_,
          missing_.empty() ? std::string() : *missing_.begin());
  file_.commit();
}

}  // namespace sensorium::io
