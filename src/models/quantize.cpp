#include "models/quantize.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "io/safetensors_writer.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/packed.h"
#include "models/model.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;
using kernels::PackedLayout;
using kernels::PackedType;

constexpr const char* kQuantization = "quantization";
// Files beside the weights that say what the model is.
constexpr std::array<const char*, 6> kDescribing = {".json", ".txt", ".model", ".jinja", ".md", ""};
constexpr uintmax_t kLargestDescription = uintmax_t{256} << 20;

struct Types {
  PackedLayout decoder, output, towers;

  // The type of a matrix: the decoder's parameters are called "decoder.".
  const PackedLayout& of(const std::string& name) const {
    if (!name.starts_with("decoder.")) return towers;
    return name == "decoder.output.weight" || name == "decoder.embedding.weight" ? output : decoder;
  }
};

Types read_types(const fs::path& from, const QuantizeOptions& options) {
  const std::string type = options.type.empty() ? "q4" : options.type;
  std::string towers = options.towers;
  if (towers.empty() && family_of(from).kind == FamilyKind::embeds) {
    // A tower computes many rows at once, where the sums of each group cost time: groups are large.
    towers = options.type.empty() ? "q8/640" : options.type;
  } else if (towers.empty()) {
    towers = type == "bf16" ? "bf16" : "q8";
  }
  Types types{.decoder = kernels::parse_packed_type(type), .output = {}, .towers = kernels::parse_packed_type(towers)};
  // Every logit is one row of this matrix: nothing averages its error out.
  types.output = types.decoder.type == PackedType::q4 ? kernels::parse_packed_type("q8") : types.decoder;
  return types;
}

// What becomes of one parameter.
struct Target {
  std::string name;  // in the new file
  bool packed = false;
  PackedLayout layout;
  DType dtype = DType::f32;
  Shape shape;  // in the new file

  Tensor make(const Tensor& value) const { return packed ? ops::pack_weight(value, layout).bytes : value.to(dtype); }
};

Target target_of(const std::string& name, const Shape& shape, nn::ParameterTap::Role role, const Types& types) {
  if (role == nn::ParameterTap::Role::matrix) {
    PackedLayout layout = types.of(name);
    layout.n = shape[0];
    layout.k = shape[1];
    return {packed_name(name, layout), true, layout, DType::u8, {layout.bytes()}};
  }
  return {name, false, {}, shape.rank() < 2 ? DType::f32 : DType::bf16, shape};
}

// Loads the model for its parameters alone; they go to `visit`.
void for_each_parameter(const fs::path& folder,
                        const std::function<void(const std::string& name, const Shape& shape,
                                                 nn::ParameterTap::Role role, const Tensor& value)>& visit) {
  const float nothing = 0;
  const nn::ParameterTap tap([&](const std::string& name, const Shape& shape, nn::ParameterTap::Role role,
                                 const std::function<Tensor()>& read) {
    check_interrupted();
    visit(name, shape, role, read());
    // The model itself is never run: its tensors only need shapes.
    return Tensor::borrow(&nothing, shape, DType::f32, nullptr);
  });
  load_model(folder);
}

// A folder under a temporary name, removed unless it is moved to its own.
class NewFolder {
 public:
  explicit NewFolder(fs::path path) : path_(std::move(path)), temporary_(path_) {
    std::error_code code;
    require(!fs::exists(path_, code), ErrorKind::usage, "{}: exists already; give a new folder", path_.string());
    temporary_ += fmt::format(".{}.tmp", ::getpid());
    fs::create_directories(temporary_, code);
    require(!code, ErrorKind::io, "{}: cannot create: {}", path_.string(), code.message());
  }
  ~NewFolder() {
    std::error_code code;
    if (!temporary_.empty()) fs::remove_all(temporary_, code);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return temporary_; }
  void commit() {
    std::error_code code;
    sync_folder(temporary_);
    fs::rename(temporary_, path_, code);
    require(!code, ErrorKind::io, "{}: cannot create: {}", path_.string(), code.message());
    temporary_.clear();
    sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
  }

 private:
  fs::path path_, temporary_;
};

void copy_descriptions(const fs::path& from, const fs::path& to) {
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string(), extension = entry.path().extension().string();
    const bool describes = std::ranges::find(kDescribing, extension) != kDescribing.end();
    if (!entry.is_regular_file() || !describes || name.starts_with('.') || name == "config.json" ||
        name.ends_with(".index.json") || entry.file_size() > kLargestDescription) {
      continue;
    }
    write_file_atomic(to / name, read_file(entry.path()));
  }
  for (const fs::path& file : find_companions(from, Companions::all)) {
    if (!fs::exists(to / file.filename())) write_file_atomic(to / file.filename(), read_file(file));
  }
}

Json unquantised_config(const fs::path& from) {
  const fs::path path = from / "config.json";
  require(fs::is_directory(from), ErrorKind::not_found, "{}: {}", from.string(),
          fs::exists(from) ? "is a file; make a folder of it first: sensorium convert FILE FOLDER --to safetensors"
                           : "no such model folder");
  Json config = read_json_file(path);
  require(config.is_object(), ErrorKind::invalid_data, "{}: expected an object", path.string());
  require(!config.contains(kQuantization), ErrorKind::usage,
          "{}: is quantised already; start from the model that it was made of", from.string());
  return config;
}

Json quantized_config(Json config, const Types& types) {
  config[kQuantization] = {{"decoder", kernels::name_of(types.decoder)},
                           {"output", kernels::name_of(types.output)},
                           {"towers", kernels::name_of(types.towers)}};
  return config;
}

}  // namespace

QuantizeReport quantize_model(const fs::path& from, const fs::path& to, const QuantizeOptions& options) {
  const Json source = unquantised_config(from);
  const Types types = read_types(from, options);
  const Json config = quantized_config(source, types);
  NewFolder folder(to.lexically_normal().has_filename() ? to.lexically_normal() : to.lexically_normal().parent_path());
  QuantizeReport report;

  std::vector<Target> targets;
  for_each_parameter(from,
                     [&](const std::string& name, const Shape& shape, nn::ParameterTap::Role role, const Tensor&) {
                       targets.push_back(target_of(name, shape, role, types));
                       report.parameters += shape.elements();
                     });
  report.tensors = static_cast<int64_t>(targets.size());
  report.packed = std::ranges::count_if(targets, &Target::packed);
  require(report.packed > 0, ErrorKind::unsupported, "{}: the model has no matrices to quantise", from.string());

  // Packed matrices first: their sizes keep all of them at multiples of 64 bytes.
  std::vector<io::NamedShape> entries;
  for (const bool packed : {true, false}) {
    for (const Target& target : targets) {
      if (target.packed == packed) entries.push_back({target.name, target.dtype, target.shape});
    }
  }
  io::SafetensorsWriter writer(folder.path() / "model.safetensors", entries, {{"format", "sensorium-packed"}});
  report.bytes = writer.bytes();
  int64_t done = 0;
  for_each_parameter(
      from, [&](const std::string& name, const Shape& shape, nn::ParameterTap::Role role, const Tensor& value) {
        const Target target = target_of(name, shape, role, types);
        writer.put(target.name, target.make(value));
        if (options.progress) options.progress(++done, report.tensors);
      });
  copy_descriptions(from, folder.path());
  write_file_atomic(folder.path() / "config.json", config.dump(2) + "\n");
  writer.commit();
  folder.commit();
  return report;
}

}  // namespace sensorium::models
