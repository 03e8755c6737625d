#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "io/safetensors.h"

namespace sensorium::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-";

std::vector<CheckpointInfo> list_checkpoints(const fs::path& run) {
  std::vector<CheckpointInfo> found;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(run / "checkpoints", code)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    int64_t step = 0;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
    if (error == std::errc() && stop == end) found.push_back({entry.path(), step});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

void check_finite(const std::vector<io::NamedTensor>& tensors) {
  for (const io::NamedTensor& named : tensors) {
    const std::span<const float> values = named.tensor.span<float>();
    require(std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }),
            ErrorKind::numeric, "the parameters are not finite ({})", named.name);
  }
}

bool holds(Kept kept, const nn::Parameter& parameter) { return kept == Kept::all || parameter.value.requires_grad(); }

}  // namespace

void save_checkpoint(const fs::path& run, int64_t step, const nn::ParameterStore& store, const AdamW& optimizer,
                     const std::string& fingerprint, Kept kept, int keep) {
  const fs::path folder = run / "checkpoints";
  const fs::path final_path = folder / fmt::format("{}{:08}", kPrefix, step);
  const fs::path temporary = folder / ".saving";
  std::vector<io::NamedTensor> tensors;
  for (const nn::Parameter& parameter : store.parameters()) {
    if (holds(kept, parameter)) tensors.push_back({parameter.name, parameter.value.detach()});
  }
  for (const AdamW::State& entry : optimizer.state()) tensors.push_back({entry.name, entry.tensor});
  check_finite(tensors);
  std::error_code code;
  fs::remove_all(temporary, code);
  fs::create_directories(temporary, code);
  require(!code, ErrorKind::io, "{}: cannot create: {}", temporary.string(), code.message());
  try {
    io::write_safetensors(temporary / "state.safetensors", tensors, {});
    const OrderedJson state{{"step", step}, {"optimizer_steps", optimizer.steps_done()}, {"recipe", fingerprint}};
    write_file_atomic(temporary / "state.json", state.dump(2) + "\n");
    fs::remove_all(final_path, code);
    fs::rename(temporary, final_path, code);
    require(!code, ErrorKind::io, "{}: cannot rename: {}", final_path.string(), code.message());
    sync_folder(folder);
    sync_folder(run);
  } catch (...) {
    fs::remove_all(temporary, code);
    throw;
  }
  std::vector<CheckpointInfo> all = list_checkpoints(run);
  while (!all.empty() && all.back().step > step) {
    fs::remove_all(all.back().path, code);
    all.pop_back();
  }
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) fs::remove_all(all[i].path, code);
}

std::optional<CheckpointInfo> latest_checkpoint(const fs::path& run) {
  std::vector<CheckpointInfo> all = list_checkpoints(run);
  while (!all.empty()) {
    if (fs::exists(all.back().path / "state.json")) return all.back();
    all.pop_back();
  }
  return std::nullopt;
}

void load_checkpoint(const CheckpointInfo& checkpoint, nn::ParameterStore& store, AdamW& optimizer,
                     const std::string& fingerprint, Kept kept) {
  const Json state = read_json_file(checkpoint.path / "state.json");
  ConfigReader reader(state, (checkpoint.path / "state.json").string());
  require(reader.get<std::string>("recipe") == fingerprint, ErrorKind::usage,
          "{}: was made by another recipe or other overrides; choose another out= folder, or delete this one",
          checkpoint.path.string());
  const io::SafetensorsFile file = io::SafetensorsFile::open(checkpoint.path / "state.safetensors");
  // All is checked before anything is changed.
  const auto check = [&](const std::string& name, const Shape& shape) {
    require(file.contains(name), ErrorKind::invalid_data, "{}: tensor {} is missing", checkpoint.path.string(), name);
    const Shape found = file.tensor(name).shape();
    require(found == shape, ErrorKind::invalid_data, "{}: tensor {} has shape {}, the recipe makes it {}",
            checkpoint.path.string(), name, found, shape);
  };
  for (const nn::Parameter& parameter : store.parameters()) {
    if (holds(kept, parameter)) check(parameter.name, parameter.value.shape());
  }
  for (const AdamW::State& entry : optimizer.state()) check(entry.name, entry.tensor.shape());
  const auto steps = reader.get<int64_t>("optimizer_steps");
  const auto find = [&](const std::string& name) { return file.tensor(name); };
  for (nn::Parameter& parameter : store.parameters()) {
    if (holds(kept, parameter)) parameter.value.copy_from(find(parameter.name));
  }
  optimizer.restore(steps, find);
}

std::optional<CheckpointInfo> resume(const fs::path& run, nn::ParameterStore& store, AdamW& optimizer,
                                     const std::string& fingerprint, Kept kept) {
  std::vector<CheckpointInfo> all = list_checkpoints(run);
  while (!all.empty()) {
    try {
      load_checkpoint(all.back(), store, optimizer, fingerprint, kept);
      return all.back();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::usage) throw;
      require(all.size() > 1, ErrorKind::invalid_data, "{}; no other checkpoint is whole: delete {} to start anew",
              error.message(), (run / "checkpoints").string());
      log_warning("{}; going back to the checkpoint before it", error.message());
    }
    all.pop_back();
  }
  return std::nullopt;
}

}  // namespace sensorium::train
