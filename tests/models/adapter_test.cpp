// Adapters as PEFT saves them, merged into their base: tools/golden/models_adapters.py.
#include "models/adapter/adapter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "io/safetensors.h"
#include "models/changed_folder.h"
#include "models/checkpoint/canonical_name.h"
#include "models/checkpoint/write.h"
#include "models/golden_folder.h"
#include "models/model.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {
namespace fs = std::filesystem;

LoadOptions adapted(const fs::path& adapter) {
  LoadOptions options;
  options.compute = DType::f32;
  options.adapter = adapter;
  return options;
}

TEST(GoldenAdapter, AllMatricesOfADecoder) {
  const GoldenFolder golden("llama_adapter");
  const auto model = load_model(golden_path("llama"), adapted(golden.path()));
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")));
  const auto base = load_model(golden_path("llama"), DType::f32);
  const auto plain = base->start({&message, 1});
  EXPECT_NE(plain->logits()[0], session->logits()[0]);
}

TEST(GoldenAdapter, ProjectorTrainedWholeAndStabilizedScale) {
  const GoldenFolder golden("llava_adapter"), base("llava");
  const auto model = load_model(base.path(), adapted(golden.path()));
  const ChatMessage message = user({{.image = base.picture(0)}, {.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), golden.expected("logits"));
}

// What `convert --adapter` writes is a model of its own.
TEST(GoldenAdapter, MergedModelsNeedNoAdapter) {
  const GoldenFolder golden("llama_adapter");
  const fs::path made = fs::path(testing::TempDir()) / fmt::format("merged_{}", ::getpid());
  fs::remove_all(made);
  fs::create_directories(made);
  write_huggingface(*Checkpoint::open(golden_path("llama"), adapted(golden.path())), made, {});
  const auto model = load_model(made, DType::f32);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")));
  fs::remove_all(made);
}

TEST(Adapter, NamesOfAllVersionsAreOne) {
  const std::string layer = "layers.0.self_attn.q_proj.weight";
  for (const std::string prefix : {"model.", "language_model.model.", "model.language_model."}) {
    EXPECT_EQ(canonical_name(prefix + layer), "model." + layer);
  }
  EXPECT_EQ(canonical_name("language_model.lm_head.weight"), "lm_head.weight");
  const std::string tower = "vision_tower.vision_model.post_layernorm.bias";
  EXPECT_EQ(canonical_name("model.vision_tower.post_layernorm.bias"), tower);
  EXPECT_EQ(canonical_name(tower), tower);
  EXPECT_TRUE(is_vision_name(tower));
  EXPECT_FALSE(is_vision_name("lm_head.weight"));
}

class AdapterFaults : public ::testing::Test {
 protected:
  Error error(const fs::path& adapter) const {
    return error_of([&] { load_model(golden_path("llama"), adapted(adapter)); });
  }
  void expect_fault(const fs::path& adapter, ErrorKind kind, const std::string& part) const {
    EXPECT_EQ(error(adapter).kind(), kind) << error(adapter).message();
    EXPECT_NE(error(adapter).message().find(part), std::string::npos) << error(adapter).message();
  }
};

// A copy of the adapter whose files a test changes.
class ChangedAdapter {
 public:
  ChangedAdapter() : path_(fs::path(testing::TempDir()) / fmt::format("adapter_{}", ::getpid())) {
    fs::remove_all(path_);
    fs::copy(golden_path("llama_adapter"), path_);
  }
  ~ChangedAdapter() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  void configure(const char* key, const Json& value) const {
    Json config = read_json_file(path_ / "adapter_config.json");
    config[key] = value;
    write_file_atomic(path_ / "adapter_config.json", config.dump());
  }
  void rewrite(const std::function<void(io::NamedTensor& tensor)>& change) const {
    const io::SafetensorsFile file = io::SafetensorsFile::open(path_ / "adapter_model.safetensors");
    std::vector<io::NamedTensor> tensors;
    for (const std::string& name : file.names()) {
      io::NamedTensor tensor{name, file.tensor(name).clone()};
      change(tensor);
      if (!tensor.name.empty()) tensors.push_back(std::move(tensor));
    }
    io::write_safetensors(path_ / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  }

 private:
  fs::path path_;
};

TEST_F(AdapterFaults, AnotherBaseIsRefused) {
  EXPECT_EQ(error(golden_path("llava_adapter")).kind(), ErrorKind::invalid_data);
  EXPECT_NE(error(golden_path("llava_adapter")).message().find("is for another base"), std::string::npos)
      << error(golden_path("llava_adapter")).message();
  const ChangedAdapter deeper;
  deeper.rewrite([](io::NamedTensor& tensor) {
    if (const size_t at = tensor.name.find("layers.1."); at != std::string::npos) tensor.name[at + 7] = '7';
  });
  expect_fault(deeper.path(), ErrorKind::invalid_data, "is for another base: it changes model.layers.7.");
  const ChangedAdapter wider;
  wider.rewrite([](io::NamedTensor& tensor) {
    if (tensor.name.ends_with("layers.0.self_attn.q_proj.lora_A.weight")) tensor.tensor = Tensor::zeros({4, 40});
  });
  expect_fault(wider.path(), ErrorKind::invalid_data, "which has the shape [32, 32] here");
}

TEST_F(AdapterFaults, DamageAndOtherMethodsAreNamed) {
  const ChangedAdapter adapter;
  adapter.configure("use_dora", true);
  expect_fault(adapter.path(), ErrorKind::unsupported, "\"use_dora\" is not supported");
  adapter.configure("use_dora", false);
  adapter.configure("peft_type", "IA3");
  expect_fault(adapter.path(), ErrorKind::unsupported, "an adapter of type IA3");
  adapter.configure("peft_type", "LORA");
  adapter.configure("bias", "all");
  expect_fault(adapter.path(), ErrorKind::unsupported, "\"bias\" is \"all\"");
  adapter.configure("bias", "none");
  adapter.rewrite([](io::NamedTensor& tensor) {
    if (tensor.name.ends_with("layers.0.self_attn.q_proj.lora_B.weight")) tensor.name.clear();
  });
  expect_fault(adapter.path(), ErrorKind::invalid_data, "layers.0.self_attn.q_proj.weight needs lora_A");
  fs::remove(adapter.path() / "adapter_model.safetensors");
  expect_fault(adapter.path(), ErrorKind::not_found, "adapter_model.safetensors");
  expect_fault(golden_path("llama"), ErrorKind::not_found, "adapter_config.json");
}

}  // namespace
}  // namespace sensorium::models
