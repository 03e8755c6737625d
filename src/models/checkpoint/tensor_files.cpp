#include "models/checkpoint/tensor_files.h"

#include "base/error.h"

namespace sensorium::models {

void TensorFiles::add(const std::string& name, Entry entry) {
  const std::string file_name = entry.file_name;
  require(entries_.emplace(name, std::move(entry)).second, ErrorKind::invalid_data, "tensor {} ({}) stands twice",
          file_name, name);
}

void TensorFiles::add(const std::string& name, const Tensor& tensor, std::string file_name) {
  add(name, {.shape = tensor.shape(),
             .dtype = tensor.dtype(),
             .mapped = true,
             .file_name = file_name.empty() ? name : std::move(file_name),
             .read = [tensor] { return tensor; }});
}

const TensorFiles::Entry& TensorFiles::find(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), ErrorKind::not_found, "no tensor {} in the model's files", spelled(name));
  return found->second;
}

std::string TensorFiles::spelled(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found != entries_.end()) return found->second.file_name;
  return spelling_ ? spelling_(name) : name;
}

}  // namespace sensorium::models
