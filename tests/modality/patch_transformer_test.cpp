// Stochastic depth of a tower over patches.
#include "modality/patch_transformer.h"

#include <gtest/gtest.h>

#include <array>

namespace sensorium::modality {
namespace {

TEST(DropPath, GrowsWithDepthAndKeepsTheMean) {
  constexpr int64_t kInputs = 4000, kLayers = 5;
  EXPECT_FALSE(drop_path_factors({.rate = 0.5, .seed = 1}, 0, kLayers, kInputs, 1).mlp_T.defined());
  EXPECT_FALSE(drop_path_factors({.rate = 0, .seed = 1}, kLayers - 1, kLayers, kInputs, 1).mlp_T.defined());
  for (int64_t layer = 1; layer < kLayers; ++layer) {
    const double probability = 0.5 * static_cast<double>(layer) / (kLayers - 1);
    const nn::BranchFactors factors = drop_path_factors({.rate = 0.5, .seed = 1}, layer, kLayers, kInputs, 1);
    for (const Tensor& branch : {factors.attention_T, factors.mlp_T}) {
      double sum = 0, left_out = 0;
      for (const float factor : branch.to_floats()) {
        sum += factor;
        left_out += factor == 0 ? 1 : 0;
      }
      EXPECT_NEAR(sum / kInputs, 1, 0.06) << layer;  // four standard errors of the deepest
      EXPECT_NEAR(left_out / kInputs, probability, 0.035) << layer;
    }
    EXPECT_NE(factors.attention_T.to_floats(), factors.mlp_T.to_floats()) << layer;
  }
}

TEST(DropPath, AnInputsDrawDoesNotDependOnThePieces) {
  const nn::BranchFactors whole = drop_path_factors({.rate = 0.7, .seed = 3}, 1, 2, 8, 3);
  const nn::BranchFactors piece = drop_path_factors({.rate = 0.7, .seed = 3, .first_input = 5}, 1, 2, 3, 3);
  EXPECT_EQ(whole.mlp_T.slice(15, 24).to_floats(), piece.mlp_T.to_floats());
  EXPECT_EQ(whole.attention_T.slice(15, 24).to_floats(), piece.attention_T.to_floats());
  EXPECT_NE(whole.mlp_T.to_floats(), drop_path_factors({.rate = 0.7, .seed = 4}, 1, 2, 8, 3).mlp_T.to_floats());
}

TEST(DropPath, ABlockThatIsLeftOutChangesNothing) {
  nn::ParameterStore store(5);
  PatchTransformer tower(store, "tower", {.stem = {16, 6}, .patches = 4, .layers = 2, .heads = 2, .mlp_width = 32});
  Rng rng(2);
  const Tensor patches = Tensor::randn({12, 6}, rng);
  constexpr std::array<int64_t, 3> kAll = {0, 1, 2};
  const std::vector<Tensor> plain = tower.states(patches, kAll);
  EXPECT_NE(plain[1].to_floats(), plain[2].to_floats());
  tower.set_drop_path(std::make_shared<DropPath>(DropPath{.rate = 1 - 1e-9, .seed = 1}));
  const std::vector<Tensor> shallow = tower.states(patches, kAll);
  EXPECT_EQ(shallow[1].to_floats(), plain[1].to_floats());
  EXPECT_EQ(shallow[2].to_floats(), plain[1].to_floats());
}

TEST(PatchTransformer, TheClassTokenAloneIsItsRowOfAll) {
  for (const bool extra_key : {false, true}) {
    nn::ParameterStore store(7);
    const PatchTransformer tower(
        store, "tower",
        {.stem = {16, 6}, .patches = 4, .layers = 2, .heads = 2, .mlp_width = 32, .extra_key = extra_key});
    Rng rng(3);
    const Tensor patches = Tensor::randn({12, 6}, rng);
    const std::vector<float> all = tower(patches).to_floats(), alone = tower.class_states(patches).to_floats();
    ASSERT_EQ(alone.size(), 3u * 16);
    for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(alone[i], all[i / 16 * 5 * 16 + i % 16], 1e-5) << i;
  }
}

}  // namespace
}  // namespace sensorium::modality
