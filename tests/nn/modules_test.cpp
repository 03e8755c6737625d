// Legend: T rows, P positions of all pictures, C channels, V vocabulary.
#include "nn/modules.h"

#include <numeric>

#include "kernels/table.h"
#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

// Plain AdamW without decay, for the few steps of these tests.
class Optimizer {
 public:
  explicit Optimizer(nn::ParameterStore& store) : store_(store) {
    for (const nn::Parameter& parameter : store.parameters()) {
      m_.push_back(Tensor::zeros(parameter.value.shape()));
      v_.push_back(Tensor::zeros(parameter.value.shape()));
    }
  }
  void step(float learning_rate) {
    ++steps_;
    for (size_t i = 0; i < m_.size(); ++i) {
      const Tensor& value = store_.parameters()[i].value;
      ASSERT_TRUE(value.grad().defined()) << store_.parameters()[i].name;
      kernels::kernel_table({}).adamw({.count = value.elements(),
                                       .parameter = value.data<float>(),
                                       .grad = value.grad().data<float>(),
                                       .m = m_[i].data<float>(),
                                       .v = v_[i].data<float>(),
                                       .learning_rate = learning_rate,
                                       .step = steps_});
    }
    store_.clear_grads();
  }

 private:
  nn::ParameterStore& store_;
  std::vector<Tensor> m_, v_;
  int64_t steps_ = 0;
};

class OverfitTest : public ::testing::TestWithParam<DType> {};

TEST_P(OverfitTest, TinyDecoderLearnsABatchByHeart) {
  nn::ParameterStore store(1);
  const Tensor embedding = store.add("embedding", {20, 32}, nn::Init::normal, 0.1f);
  const nn::AttentionConfig config{.dim = 32, .heads = 4, .kv_heads = 2, .head_dim = 8};
  std::vector<nn::TransformerBlock> blocks;
  for (int i = 0; i < 2; ++i) blocks.emplace_back(store, "layers." + std::to_string(i), config, 64, 0.5f);
  const nn::RmsNorm norm(store, "norm", 32);

  const ops::Sequences sequences{{0, 9, 24, 31}};
  Rng rng(4);
  std::vector<int32_t> ids, targets, positions;
  for (size_t s = 0; s < sequences.count(); ++s) {
    for (int32_t p = 0; p < sequences.offsets[s + 1] - sequences.offsets[s]; ++p) {
      ids.push_back(static_cast<int32_t>(rng.below(20)));
      positions.push_back(p);
    }
  }
  targets.assign(ids.begin() + 1, ids.end());
  targets.push_back(-1);
  for (size_t s = 1; s < sequences.count(); ++s) {
    targets[static_cast<size_t>(sequences.offsets[s]) - 1] = -1;
    // The first token alone must tell the sequences apart.
    ids[static_cast<size_t>(sequences.offsets[s])] = static_cast<int32_t>(s);
  }
  ids[0] = 0;
  const Tensor ids_T = Tensor::from(ids, {31}), targets_T = Tensor::from(targets, {31}),
               positions_T = Tensor::from(positions, {31});

  Optimizer optimizer(store);
  float loss_value = 0;
  for (int step = 0; step < 150; ++step) {
    Tensor x_TC = ops::gather_rows(embedding, ids_T, GetParam());
    for (const nn::TransformerBlock& block : blocks) x_TC = block(x_TC, positions_T, sequences);
    const Tensor loss = ops::linear_cross_entropy(norm(x_TC), embedding, targets_T);
    loss_value = loss.item();
    if (step == 0) {
      EXPECT_NEAR(loss_value, std::log(20.0f), 0.7f);
    }
    backward(loss);
    optimizer.step(1e-2f);
  }
  EXPECT_LT(loss_value, 0.02f);
}

TEST_P(OverfitTest, TinyVisionTransformerLearnsABatchByHeart) {
  nn::ParameterStore store(2);
  const nn::ConvNorm stem(store, "stem", 3, 16, 3, 2, 4, kernels::NormActivation::relu, nn::WeightStandardization::on);
  const nn::ConvNorm plain(store, "plain", 16, 16, 3, 2, 4, kernels::NormActivation::silu,
                           nn::WeightStandardization::off);
  const nn::Linear embed(store, "embed", 64, 32, nn::Bias::zeros);
  const nn::AttentionConfig config{
      .dim = 32, .heads = 2, .kv_heads = 2, .head_dim = 16, .causal = false, .rope_theta = 100.0f};
  const nn::TransformerBlock block(store, "block", config, 48);
  const nn::LayerNorm norm(store, "norm", 32);
  const nn::Mlp head(store, "head", 32, 32, 3);

  const ops::Pictures pictures{{16, 9, 12, 16, 8}, {16, 20, 7, 8, 8}};
  const Tensor pixels = random_tensor({pictures.positions(), 3}, 1).to(GetParam());
  const Tensor labels = Tensor::from<int32_t>({0, 1, 2, 1, 0}, {5});
  Optimizer optimizer(store);
  float loss_value = 0;
  for (int step = 0; step < 60; ++step) {
    ops::Pictures sizes = pictures;
    Tensor x = plain(stem(pixels, sizes), sizes);
    x = embed(ops::space_to_depth(x, sizes, 2, sizes));
    std::vector<int32_t> positions;
    ops::Sequences sequences{{0}};
    for (size_t i = 0; i < sizes.count(); ++i) {
      for (int32_t p = 0; p < sizes.heights[i] * sizes.widths[i]; ++p) {
        positions.insert(positions.end(), {p / sizes.widths[i], p % sizes.widths[i]});
      }
      sequences.offsets.push_back(static_cast<int32_t>(positions.size() / 2));
    }
    x = norm(block(x, Tensor::from(positions, {x.dim(0), 2}), sequences));
    const Tensor loss = ops::cross_entropy(head(ops::segment_mean(x, sizes.offsets())), labels);
    loss_value = loss.item();
    backward(loss);
    optimizer.step(3e-3f);
  }
  EXPECT_LT(loss_value, 0.02f);
}

INSTANTIATE_TEST_SUITE_P(DTypes, OverfitTest, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& dtype) { return std::string(name_of(dtype.param)); });

TEST(TransformerBlock, GradientsOfEveryParameter) {
  nn::ParameterStore store(1);
  const nn::AttentionConfig config{.dim = 16, .heads = 2, .kv_heads = 1, .head_dim = 8};
  const nn::TransformerBlock block(store, "b", config, 12);
  const ops::Sequences sequences{{0, 3, 7}};
  const Tensor positions = Tensor::from<int32_t>({0, 1, 2, 0, 1, 2, 3}, {7});
  const auto run = [&](const std::vector<Tensor>& in) { return block(in[0], positions, sequences); };
  check_gradients(run, {random_tensor({7, 16}, 1)});

  store.clear_grads();
  const Tensor x = random_tensor({7, 16}, 1);
  backward_mixed(run({x}));
  for (const nn::Parameter& parameter : store.parameters()) {
    const Tensor grad = parameter.value.grad();
    ASSERT_TRUE(grad.defined()) << parameter.name;
    const NoGrad no_grad;
    for (int64_t i = 0; i < parameter.value.elements(); i += 7) {
      float& value = parameter.value.data<float>()[i];
      const float saved = value, step = 5e-3f;
      value = saved + step;
      const double above = mixed(run({x}));
      value = saved - step;
      const double below = mixed(run({x}));
      value = saved;
      const double quotient = (above - below) / (2.0 * step);
      ASSERT_NEAR(grad.data<float>()[i], quotient, 5e-3 * std::max(1.0, std::abs(quotient)))
          << parameter.name << " " << i;
    }
  }
}

TEST(TransformerBlock, CheckpointGivesTheSameGradientsOfParameters) {
  std::vector<std::vector<float>> grads[2];
  for (const bool checkpointed : {false, true}) {
    nn::ParameterStore store(1);
    const nn::AttentionConfig config{.dim = 16, .heads = 2, .kv_heads = 1, .head_dim = 8};
    const nn::TransformerBlock first(store, "a", config, 12), second(store, "b", config, 12);
    const Tensor positions = Tensor::from<int32_t>({0, 1, 2}, {3});
    Tensor x = random_tensor({3, 16}, 1).to(DType::bf16);
    for (const nn::TransformerBlock* block : {&first, &second}) {
      const auto run = [&](const std::vector<Tensor>& in) { return (*block)(in[0], positions, {{0, 3}}); };
      x = checkpointed ? checkpoint(
                             [block, positions](const std::vector<Tensor>& in) {
                               return (*block)(in[0], positions, {{0, 3}});
                             },
                             {x})
                       : run({x});
    }
    backward_mixed(x);
    for (const nn::Parameter& parameter : store.parameters()) {
      ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
      grads[checkpointed].push_back(parameter.value.grad().to_floats());
    }
  }
  EXPECT_EQ(grads[0], grads[1]);
}

TEST(Modules, NamesAndShapesOfParameters) {
  nn::ParameterStore store(1);
  const nn::TransformerBlock block(store, "decoder.layers.0", {.dim = 16, .heads = 2, .kv_heads = 1, .head_dim = 8},
                                   12);
  const nn::ConvNorm conv(store, "stem", 3, 8, 3, 2, 2, kernels::NormActivation::relu, nn::WeightStandardization::on);
  std::vector<std::string> names;
  for (const nn::Parameter& parameter : store.parameters())
    names.push_back(parameter.name + " " + parameter.value.shape().str());
  EXPECT_EQ(names, (std::vector<std::string>{
                       "decoder.layers.0.norm1.weight [16]", "decoder.layers.0.attention.qkv.weight [32, 16]",
                       "decoder.layers.0.attention.out.weight [16, 16]", "decoder.layers.0.attention.q_norm.weight [8]",
                       "decoder.layers.0.attention.k_norm.weight [8]", "decoder.layers.0.norm2.weight [16]",
                       "decoder.layers.0.mlp.gate_up.weight [24, 16]", "decoder.layers.0.mlp.down.weight [16, 12]",
                       "stem.weight [8, 3, 3, 3]", "stem.gain [8]", "stem.norm.weight [8]", "stem.norm.bias [8]"}));
  expect_error(ErrorKind::shape,
               [&] { nn::SelfAttention(store, "x", {.dim = 16, .heads = 3, .kv_heads = 2, .head_dim = 8}); });
}

// Filters from a checkpoint are standardised once, to what every pass makes of filters that learn.
TEST(ConvNorm, LoadedFiltersAreStandardisedOnce) {
  const auto make = [](nn::ParameterStore& store) {
    return nn::ConvNorm(store, "stem", 3, 8, 3, 2, 2, kernels::NormActivation::relu, nn::WeightStandardization::on);
  };
  nn::ParameterStore fresh(3);
  const nn::ConvNorm learning = make(fresh);
  nn::ParameterStore checkpoint(
      [&](const std::string& name, const Shape&) { return fresh.find(name).value.detach().to(DType::bf16); });
  const nn::ConvNorm loaded = make(checkpoint);
  EXPECT_TRUE(learning.gain.defined());
  EXPECT_FALSE(loaded.gain.defined());
  EXPECT_EQ(checkpoint.find("stem.weight").value.dtype(), DType::bf16) << "the parameter itself stays";
  Tensor(learning.weight).copy_from(checkpoint.find("stem.weight").value);
  const Tensor pixels_PC = random_tensor({9 * 7, 3}, 1);
  const auto output = [&](const nn::ConvNorm& conv, DType compute) {
    ops::Pictures sizes{{9}, {7}};
    return conv(pixels_PC.to(compute), sizes).to_floats();
  };
  for (const DType compute : {DType::f32, DType::bf16}) EXPECT_EQ(output(loaded, compute), output(learning, compute));
}

TEST(EncoderBlock, GradientsAndBiases) {
  nn::ParameterStore store(1);
  const nn::AttentionConfig config{.dim = 16,
                                   .heads = 2,
                                   .kv_heads = 2,
                                   .head_dim = 8,
                                   .causal = false,
                                   .qk_norm = false,
                                   .rope_theta = 0,
                                   .qkv_bias = nn::Bias::zeros,
                                   .out_bias = nn::Bias::zeros};
  const nn::EncoderBlock block(store, "b", config, 12, kernels::Unary::quick_gelu);
  EXPECT_EQ(store.find("b.attention.qkv.bias").value.shape(), Shape({48}));
  EXPECT_EQ(store.find("b.attention.out.bias").value.shape(), Shape({16}));
  const ops::Sequences sequences{{0, 3, 7}};
  check_gradients([&](const std::vector<Tensor>& in) { return block(in[0], {}, sequences); },
                  {random_tensor({7, 16}, 1)});
}

// One more key and value for every sequence: what plain attention gives to a row of zeros that is one more key, where that
// row's own key and value are the learned ones.
TEST(SelfAttention, AnExtraKeyStandsBehindEverySequence) {
  nn::ParameterStore store(1);
  nn::AttentionConfig config{.dim = 16,
                             .heads = 2,
                             .kv_heads = 2,
                             .head_dim = 8,
                             .causal = false,
                             .qk_norm = false,
                             .rope_theta = 0,
                             .extra_key = true};
  const nn::SelfAttention attention(store, "a", config);
  Tensor(attention.extra_key).copy_from(random_tensor({16}, 5));
  Tensor(attention.extra_value).copy_from(random_tensor({16}, 6));
  const ops::Sequences sequences{{0, 3, 7}};
  const Tensor x = random_tensor({7, 16}, 1);
  const Tensor y = attention(x, {}, sequences);
  const Tensor qkv = attention.qkv(x);
  for (int64_t row = 0; row < 7; ++row) {
    const int64_t first = row < 3 ? 0 : 3, end = row < 3 ? 3 : 7;
    std::vector<float> mixed(16);
    for (int64_t head = 0; head < 2; ++head) {
      const float* query = qkv.data<float>() + row * 48 + head * 8;
      std::vector<double> scores;
      std::vector<const float*> values;
      for (int64_t key = first; key <= end; ++key) {
        const float* k =
            key < end ? qkv.data<float>() + key * 48 + 16 + head * 8 : attention.extra_key.data<float>() + head * 8;
        values.push_back(key < end ? qkv.data<float>() + key * 48 + 32 + head * 8
                                   : attention.extra_value.data<float>() + head * 8);
        double dot = 0;
        for (int d = 0; d < 8; ++d) dot += static_cast<double>(query[d]) * k[d];
        scores.push_back(std::exp(dot / std::sqrt(8.0)));
      }
      double total = 0;
      for (const double score : scores) total += score;
      for (size_t i = 0; i < scores.size(); ++i) {
        for (size_t d = 0; d < 8; ++d)
          mixed[static_cast<size_t>(head) * 8 + d] += static_cast<float>(scores[i] / total) * values[i][d];
      }
    }
    EXPECT_LT(relative_error(y.slice(row, row + 1), attention.out(Tensor::from(mixed, {1, 16}))), 1e-5) << row;
  }
  check_gradients([&](const std::vector<Tensor>& in) { return attention(in[0], {}, sequences); }, {x});
  config.causal = true;
  expect_error(ErrorKind::shape, [&] { nn::SelfAttention(store, "b", config); });
}

// The same numbers as the convolution that it stands for.
TEST(PatchEmbedding, IsAConvolutionOfItsOwnStride) {
  nn::ParameterStore store(1);
  const nn::PatchEmbedding embed(store, "patch", {5, 3, 2, 2}, nn::Bias::zeros);
  store.parameters()[1].value.copy_from(random_tensor({5}, 3));
  const Tensor pixels_PC = random_tensor({4 * 6, 3}, 2);  // one picture of 4 x 6 pixels
  const Tensor filters_NKKC = Tensor::empty({5, 2, 2, 3}), patches_PK = Tensor::empty({6, 12});
  for (int64_t n = 0; n < 5; ++n) {
    for (int64_t i = 0; i < 12; ++i) {  // channel, row, column
      filters_NKKC.data<float>()[n * 12 + i % 4 * 3 + i / 4] = embed.weight.data<float>()[n * 12 + i];
    }
  }
  for (int64_t p = 0; p < 6; ++p) {
    for (int64_t i = 0; i < 12; ++i) {
      const int64_t y = p / 3 * 2 + i % 4 / 2, x = p % 3 * 2 + i % 2;
      patches_PK.data<float>()[p * 12 + i] = pixels_PC.data<float>()[(y * 6 + x) * 3 + i / 4];
    }
  }
  ops::Pictures sizes;
  const Tensor expected = ops::conv2d(pixels_PC, {{4}, {6}}, filters_NKKC, embed.bias, {.stride = 2}, sizes);
  EXPECT_LT(relative_error(embed(patches_PK), expected), 1e-5);
}

TEST(Modules, RowsOfAnF16TableAreLookedUpAsTheyAre) {
  const Tensor table = random_tensor({5, 8}, 1).to(DType::f16);
  const Tensor rows = nn::look_up_rows(table, Tensor::from<int32_t>({4, -1, 0}, {3}), DType::f32);
  const std::vector<float> all = table.to_floats(), found = rows.to_floats();
  for (size_t c = 0; c < 8; ++c) {
    EXPECT_EQ(found[c], all[4 * 8 + c]);
    EXPECT_EQ(found[8 + c], 0.0f);
    EXPECT_EQ(found[16 + c], all[c]);
  }
  expect_error(ErrorKind::shape, [&] { nn::look_up_rows(table, Tensor::from<int32_t>({5}, {1}), DType::f32); });
}

// Frequencies that are the powers of theta change nothing; halved ones are the positions' halves.
TEST(Modules, FrequenciesInPlaceOfTheta) {
  nn::ParameterStore store(1);
  nn::AttentionConfig config{.dim = 16, .heads = 2, .kv_heads = 1, .head_dim = 8, .rope_theta = 100.0f};
  nn::SelfAttention attention(store, "a", config);
  const Tensor x = random_tensor({3, 16}, 1), positions = Tensor::from<int32_t>({0, 2, 6}, {3});
  const Tensor plain = attention(x, positions, {{0, 3}});
  const Tensor halves = attention(x, Tensor::from<int32_t>({0, 1, 3}, {3}), {{0, 3}});
  attention.config.rope_frequencies = Tensor::empty({4});
  for (const float factor : {1.0f, 0.5f}) {
    for (int c = 0; c < 4; ++c) {
      attention.config.rope_frequencies.data<float>()[c] = factor * std::pow(100.0f, -static_cast<float>(c) / 4.0f);
    }
    EXPECT_LT(relative_error(attention(x, positions, {{0, 3}}), factor == 1.0f ? plain : halves), 1e-5);
  }
}

TEST(Modules, NothingIsRecordedWithoutGradients) {
  nn::ParameterStore store(1);
  const nn::TransformerBlock block(store, "b", {.dim = 16, .heads = 2, .kv_heads = 1, .head_dim = 8}, 12);
  const Tensor x = random_tensor({300, 16}, 1);
  std::vector<int32_t> positions(300);
  std::iota(positions.begin(), positions.end(), 0);
  const Tensor at = Tensor::from(positions, {300});
  const NoGrad no_grad;
  const Tensor y = block(x, at, {{0, 300}});
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(y.node(), nullptr);
}

}  // namespace
}  // namespace sensorium
