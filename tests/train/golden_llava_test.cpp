// LLaVA's stages on a tiny checkpoint against PyTorch: tools/golden/train_llava.py. The recipes are those that users run.
#include <gtest/gtest.h>

#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "data/temp_folder.h"
#include "io/safetensors.h"
#include "models/adapter/adapter.h"
#include "models/golden_folder.h"
#include "train/course.h"
#include "train/run.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = SENSORIUM_SOURCE_DIR;
const fs::path kGolden = kSource / "tests/golden/train/llava";

// Our parameter, a row of it where the file's begins, and the reference's name.
struct Part {
  const char* ours;
  int64_t row;
  const char* theirs;
};
constexpr Part kProjector[] = {{"projector.fc1.weight", 0, "multi_modal_projector.linear_1.weight"},
                               {"projector.fc1.bias", 0, "multi_modal_projector.linear_1.bias"},
                               {"projector.fc2.weight", 0, "multi_modal_projector.linear_2.weight"},
                               {"projector.fc2.bias", 0, "multi_modal_projector.linear_2.bias"}};
// 4 heads of 8 queries, 2 of keys and values; an MLP of 48.
constexpr Part kDecoder[] = {{"decoder.layers.0.attention.qkv.weight", 0, "layers.0.self_attn.q_proj.weight"},
                             {"decoder.layers.0.attention.qkv.weight", 32, "layers.0.self_attn.k_proj.weight"},
                             {"decoder.layers.0.attention.qkv.weight", 48, "layers.0.self_attn.v_proj.weight"},
                             {"decoder.layers.0.attention.out.weight", 0, "layers.0.self_attn.o_proj.weight"},
                             {"decoder.layers.0.mlp.gate_up.weight", 0, "layers.0.mlp.gate_proj.weight"},
                             {"decoder.layers.0.mlp.gate_up.weight", 48, "layers.0.mlp.up_proj.weight"},
                             {"decoder.layers.0.mlp.down.weight", 0, "layers.0.mlp.down_proj.weight"},
                             {"decoder.layers.0.norm1.weight", 0, "layers.0.input_layernorm.weight"},
                             {"decoder.layers.1.mlp.gate_up.weight", 48, "layers.1.mlp.up_proj.weight"},
                             {"decoder.norm.weight", 0, "norm.weight"}};
constexpr Part kAdapter[] = {{"lora.layers.0.self_attn.q_proj.a", 0, "layers.0.self_attn.q_proj.A"},
                             {"lora.layers.0.self_attn.q_proj.b", 0, "layers.0.self_attn.q_proj.B"},
                             {"lora.layers.0.self_attn.v_proj.a", 0, "layers.0.self_attn.v_proj.A"},
                             {"lora.layers.0.self_attn.v_proj.b", 0, "layers.0.self_attn.v_proj.B"},
                             {"lora.layers.1.mlp.up_proj.a", 0, "layers.1.mlp.up_proj.A"},
                             {"lora.layers.1.mlp.up_proj.b", 0, "layers.1.mlp.up_proj.B"},
                             {"lora.layers.1.mlp.down_proj.a", 0, "layers.1.mlp.down_proj.A"},
                             {"lora.layers.1.mlp.down_proj.b", 0, "layers.1.mlp.down_proj.B"}};

class GoldenLlavaTraining : public data::TempFolder {
 protected:
  Recipe recipe(const std::string& name, const std::string& data, std::vector<std::string> more) const {
    std::vector<std::string> overrides = {
        "out=" + (folder_ / "run").string(),
        "init=" + models::golden_path("llava").string(),
        "data.train=" + (kGolden / data).string(),
        "data.conversations_per_batch=4",
        "compute=f32",
        "train.epochs=0",
        "train.steps=5",
        "train.accumulate=1",
        "train.warmup_fraction=0",
        "train.warmup_steps=2",
    };
    overrides.insert(overrides.end(), more.begin(), more.end());
    return Recipe::load(kSource / "recipes" / (name + ".yaml"), overrides);
  }

  // Gradients of the first batch, then losses, norms and weights of five steps.
  void expect_same(const Recipe& recipe, const std::string& name, std::span<const Part> parts) const {
    const io::SafetensorsFile expected = io::SafetensorsFile::open(kGolden / (name + ".safetensors"));
    const std::unique_ptr<Course> course = open_course(recipe);
    backward(course->run_batch(0, 0).loss);
    for (const Part& part : parts) {
      SCOPED_TRACE(part.theirs);
      const Tensor grad = expected.tensor("grad." + std::string(part.theirs));
      const Tensor ours = course->store().find(part.ours).value.grad();
      ASSERT_TRUE(ours.defined());
      models::expect_close(ours.slice(part.row, part.row + grad.dim(0)), grad);
    }
    run_recipe(recipe);
    std::istringstream log(read_file(folder_ / "run/train.jsonl"));
    const std::vector<float> losses = expected.tensor("losses").to_floats(),
                             norms = expected.tensor("norms").to_floats();
    for (size_t step = 0; step < losses.size(); ++step) {
      std::string line;
      ASSERT_TRUE(std::getline(log, line));
      const Json record = parse_json(line).value();
      EXPECT_NEAR(record.at("loss").get<double>(), losses[step], 1e-4 * losses[step]) << "step " << step;
      EXPECT_NEAR(record.at("grad_norm").get<double>(), norms[step], 1e-3 * norms[step]) << "step " << step;
    }
  }

  static Tensor last(const std::string& name, const std::string& tensor) {
    return io::SafetensorsFile::open(kGolden / (name + ".safetensors")).tensor("last." + tensor);
  }
};

TEST_F(GoldenLlavaTraining, TheProjectorOnCaptions) {
  expect_same(recipe("llava-1-align", "captions.json", {"train.learning_rate=1e-2"}), "align", kProjector);
  const io::SafetensorsFile base = io::SafetensorsFile::open(models::golden_path("llava") / "model.safetensors");
  const io::SafetensorsFile saved = io::SafetensorsFile::open(folder_ / "run/model/model.safetensors");
  EXPECT_EQ(saved.names(), base.names());
  for (const std::string& name : base.names()) {
    SCOPED_TRACE(name);
    const Tensor value = saved.tensor(name);
    EXPECT_EQ(value.dtype(), base.tensor(name).dtype());
    if (const size_t at = name.find("multi_modal_projector."); at != std::string::npos) {
      models::expect_close(value, last("align", name.substr(at)), 1e-3);
    } else {
      EXPECT_EQ(value.to_floats(), base.tensor(name).to_floats());  // what does not train stays as it is, to the bit
    }
  }
}

TEST_F(GoldenLlavaTraining, ProjectorAndDecoderOnConversations) {
  for (const char* checkpointing : {"false", "true"}) {
    fs::remove_all(folder_ / "run");
    std::vector<Part> parts(std::begin(kProjector), std::end(kProjector));
    parts.insert(parts.end(), std::begin(kDecoder), std::end(kDecoder));
    expect_same(recipe("llava-2-instruct", "conversations.json",
                       {"train.learning_rate=2e-3", fmt::format("activation_checkpointing={}", checkpointing)}),
                "instruct", parts);
    const io::SafetensorsFile saved = io::SafetensorsFile::open(folder_ / "run/model/model.safetensors");
    for (const std::string& name : saved.names()) {
      const size_t at = name.find("layers.1.mlp.up_proj.weight");
      if (at == std::string::npos || name.find("vision") != std::string::npos) continue;
      models::expect_close(saved.tensor(name), last("instruct", name.substr(at)), 1e-3);
    }
  }
}

TEST_F(GoldenLlavaTraining, AnAdapterAndTheProjector) {
  const Recipe lora =
      recipe("llava-2-lora", "conversations.json",
             {"adapter=" + (kGolden / "start").string(), "lora.rank=4", "lora.alpha=8", "lora.dropout=0",
              "train.learning_rate=1e-2", "train.learning_rates={\"projector.*\": 1e-3}"});
  expect_same(lora, "lora", kAdapter);
  // What was saved is what PEFT would have saved, but for the noise of five steps.
  const models::Adapter saved = models::Adapter::read(folder_ / "run/adapter"),
                        start = models::Adapter::read(kGolden / "start");
  EXPECT_EQ(saved.low_rank().size(), start.low_rank().size());
  EXPECT_EQ(saved.whole().size(), start.whole().size());
  const models::Adapter::LowRank& change = saved.low_rank().at("model.layers.1.mlp.up_proj.weight");
  EXPECT_EQ(change.scale, 2.0f);
  models::expect_close(change.a_RK, last("lora", "layers.1.mlp.up_proj.A"), 1e-3);
  models::expect_close(change.b_NR, last("lora", "layers.1.mlp.up_proj.B"), 1e-3);
}

}  // namespace
}  // namespace sensorium::train
