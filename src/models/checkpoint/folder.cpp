#include "models/checkpoint/folder.h"

#include <fmt/ranges.h>

#include <array>
#include <vector>

#include "base/error.h"

namespace sensorium::models {
namespace {

struct NamedActivation {
  const char* name;
  kernels::Unary function;
};
constexpr std::array<NamedActivation, 7> kActivations = {{
    {"gelu", kernels::Unary::gelu_erf},
    {"gelu_new", kernels::Unary::gelu_tanh},
    {"gelu_pytorch_tanh", kernels::Unary::gelu_tanh},
    {"quick_gelu", kernels::Unary::quick_gelu},
    {"silu", kernels::Unary::silu},
    {"swish", kernels::Unary::silu},
    {"relu", kernels::Unary::relu},
}};

}  // namespace

bool has_config_json(const std::filesystem::path& folder) {
  std::error_code code;
  return std::filesystem::exists(folder / "config.json", code);
}

std::string folder_name(const std::filesystem::path& directory) {
  const std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

kernels::Unary read_activation(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const NamedActivation& activation : kActivations) {
    if (name == activation.name) return activation.function;
    known.emplace_back(activation.name);
  }
  fail(ErrorKind::unsupported, "{}: activation \"{}\" is none of {}", where, name, fmt::join(known, ", "));
}

}  // namespace sensorium::models
