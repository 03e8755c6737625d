// The transformer block against PyTorch: tools/golden/nn_blocks.py.
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "nn/modules.h"
#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

// Reads F32 and I32 tensors of a trusted safetensors file: u64 length of the JSON header, header, data.
std::map<std::string, Tensor> read_golden(const std::string& name) {
  const std::string bytes =
      read_file(std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/nn" / (name + ".safetensors"));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const Json header = parse_json(std::string_view(bytes).substr(8, header_bytes)).value();
  std::map<std::string, Tensor> tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") continue;
    const auto dims = entry["shape"].get<std::vector<int64_t>>();
    Tensor tensor = Tensor::empty(Shape(dims), entry["dtype"] == "I32" ? DType::i32 : DType::f32);
    std::memcpy(tensor.raw(), bytes.data() + 8 + header_bytes + entry["data_offsets"][0].get<size_t>(), tensor.bytes());
    tensors.emplace(key, tensor);
  }
  return tensors;
}

void compare(const std::string& name, const nn::AttentionConfig& config) {
  const std::map<std::string, Tensor> golden = read_golden(name);
  nn::ParameterStore store(1);
  const nn::TransformerBlock block(store, "b", config, 24);
  for (nn::Parameter& parameter : store.parameters()) parameter.value.copy_from(golden.at(parameter.name.substr(2)));
  Tensor x = golden.at("x").clone();
  x.set_requires_grad(true);

  const Tensor y = block(x, golden.at("positions"), {{0, 7, 11}});
  EXPECT_LT(relative_error(y, golden.at("y")), 1e-5);
  backward(ops::mean(ops::multiply(y, golden.at("grad_y"))), static_cast<float>(y.elements()));
  EXPECT_LT(relative_error(x.grad(), golden.at("grad.x")), 1e-4);
  for (const nn::Parameter& parameter : store.parameters()) {
    EXPECT_LT(relative_error(parameter.value.grad(), golden.at("grad." + parameter.name.substr(2))), 1e-4)
        << parameter.name;
  }
  const NoGrad no_grad;
  const Tensor z = block(golden.at("x").to(DType::bf16), golden.at("positions"), {{0, 7, 11}});
  EXPECT_LT(relative_error(z, golden.at("y")), 0.02) << "in bf16";
}

TEST(GoldenBlock, TextEqualsPyTorch) {
  compare("block_text", {.dim = 32, .heads = 4, .kv_heads = 2, .head_dim = 8, .causal = true, .rope_theta = 10000.0f});
}

TEST(GoldenBlock, PictureEqualsPyTorch) {
  compare("block_picture",
          {.dim = 32, .heads = 4, .kv_heads = 2, .head_dim = 8, .causal = false, .rope_theta = 100.0f});
}

}  // namespace
}  // namespace sensorium
