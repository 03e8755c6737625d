#include "nn/parameter_store.h"

#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using nn::Init;
using nn::ParameterStore;

TEST(ParameterStore, KeepsTheOrderAndDependsOnNamesAlone) {
  ParameterStore one(5), two(5), other(6);
  const Tensor a = one.add("a", {40, 30}, Init::normal, 0.02f);
  one.add("b", {30}, Init::ones);
  const Tensor c = one.add("c", {40, 30}, Init::normal, 0.02f);
  EXPECT_EQ(two.add("c", {40, 30}, Init::normal, 0.02f).to_floats(), c.to_floats());
  EXPECT_NE(a.to_floats(), c.to_floats());
  EXPECT_NE(other.add("c", {40, 30}, Init::normal, 0.02f).to_floats(), c.to_floats());
  ASSERT_EQ(one.parameters().size(), 3u);
  EXPECT_EQ(one.parameters()[1].name, "b");
  EXPECT_TRUE(one.parameters()[0].decay);
  EXPECT_FALSE(one.parameters()[1].decay);
  EXPECT_TRUE(a.requires_grad());
  EXPECT_EQ(one.total_elements(), 2430);
  EXPECT_EQ(one.find("c").value.id(), c.id());
  expect_error(ErrorKind::not_found, [&] { one.find("d"); });
  expect_error(ErrorKind::shape, [&] { one.add("a", {1}); });
}

double deviation(const Tensor& t) {
  double squares = 0;
  for (const float value : t.span<float>()) squares += static_cast<double>(value) * value;
  return std::sqrt(squares / static_cast<double>(t.elements()));
}

TEST(ParameterStore, Starts) {
  ParameterStore store(1);
  // A normal distribution cut at two deviations has 0.8796 of the deviation.
  const Tensor normal = store.add("normal", {300, 200}, Init::normal, 0.5f);
  EXPECT_NEAR(deviation(normal), 0.5 * 0.8796, 0.005);
  for (const float value : normal.span<float>()) EXPECT_LE(std::abs(value), 1.0f);
  EXPECT_NEAR(deviation(store.add("he", {300, 10, 20}, Init::he)), 0.1 * 0.8796, 0.001);
  EXPECT_NEAR(deviation(store.add("lecun", {300, 200}, Init::lecun, 2.0f)), 2 / std::sqrt(200.0) * 0.8796, 0.002);
  EXPECT_EQ(store.add("zeros", {3}).to_floats(), std::vector<float>(3, 0.0f));
  EXPECT_EQ(store.add("ones", {3}, Init::ones).to_floats(), std::vector<float>(3, 1.0f));
}

TEST(ParameterStore, LoadsFromASource) {
  ParameterStore store([](const std::string& name, const Shape& shape) {
    return name == "wrong" ? Tensor::zeros({1}) : Tensor::full(shape, 2.0f, DType::bf16);
  });
  const Tensor w = store.add("w", {2, 3}, Init::normal);
  EXPECT_EQ(w.dtype(), DType::bf16);
  EXPECT_FALSE(w.requires_grad());
  expect_error(ErrorKind::shape, [&] { store.add("wrong", {2, 3}); });
  expect_error(ErrorKind::unsupported, [&] { store.set_trainable({"*"}, true); });
}

TEST(ParameterStore, FreezesByPattern) {
  ParameterStore store(1);
  for (const char* name : {"image.stem.weight", "image.norm.weight", "decoder.norm.weight", "decoder.embedding"}) {
    store.add(name, {2});
  }
  EXPECT_EQ(store.set_trainable({"image.*"}, false), 2);
  EXPECT_FALSE(store.find("image.stem.weight").value.requires_grad());
  EXPECT_TRUE(store.find("decoder.embedding").value.requires_grad());
  EXPECT_EQ(store.set_trainable({"*.norm.weight", "nothing"}, true), 2);
  EXPECT_TRUE(store.find("image.norm.weight").value.requires_grad());
  store.parameters()[0].value.set_grad(Tensor::zeros({2}));
  store.clear_grads();
  EXPECT_FALSE(store.parameters()[0].value.grad().defined());
}

TEST(MatchesPattern, Stars) {
  using nn::matches_pattern;
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*c", "abcbc"));
  EXPECT_TRUE(matches_pattern("*.b.*", "a.b.c"));
  EXPECT_TRUE(matches_pattern("**a", "bba"));
  EXPECT_TRUE(matches_pattern("abc", "abc"));
  EXPECT_FALSE(matches_pattern("abc", "abcd"));
  EXPECT_FALSE(matches_pattern("a*c", "abd"));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_FALSE(matches_pattern("a.b", "axb"));
}

TEST(ParameterStore, PackedMatricesComeFromTheSource) {
  Rng rng(1);
  const Tensor weight = Tensor::randn({8, 16}, rng);
  const ops::PackedWeight packed = ops::pack_weight(weight, kernels::parse_packed_type("q8"));
  const ParameterStore::Source source(
      [&](const std::string&, const Shape& shape) { return Tensor::zeros(shape); },
      [&](const std::string& name, const Shape&) { return name == "packed" ? packed : ops::PackedWeight(); });
  ParameterStore store(source);
  EXPECT_TRUE(store.add_matrix("packed", {8, 16}, Init::lecun).packed.defined());
  EXPECT_TRUE(store.add_matrix("plain", {8, 16}, Init::lecun).tensor.defined());
  ASSERT_EQ(store.packed().size(), 1u);
  EXPECT_EQ(store.packed()[0].name, "packed");
  EXPECT_EQ(store.parameters().size(), 1u);
  EXPECT_EQ(store.total_elements(), 2 * 8 * 16);
  EXPECT_THROW(store.add("packed", {8, 16}), Error);
  EXPECT_THROW(store.add_matrix("packed", {8, 16}, Init::lecun), Error);
  ParameterStore other(source);
  EXPECT_THROW(other.add_matrix("packed", {16, 8}, Init::lecun), Error);
  ParameterStore fresh(uint64_t{3});
  EXPECT_TRUE(fresh.add_matrix("packed", {8, 16}, Init::lecun).tensor.requires_grad());
}

TEST(ParameterStore, ATapSeesEveryParameterOfASource) {
  using nn::ParameterTap;
  std::vector<std::string> seen;
  const float nothing = 0;
  {
    const ParameterTap tap(
        [&](const std::string& name, const Shape& shape, ParameterTap::Role role, const std::function<Tensor()>& read) {
          seen.push_back(name + (role == ParameterTap::Role::matrix ? " matrix" : ""));
          EXPECT_EQ(read().data<float>()[0], 5.0f);
          return Tensor::borrow(&nothing, shape, DType::f32, nullptr);
        });
    ParameterStore store([](const std::string&, const Shape& shape) { return Tensor::full(shape, 5.0f); });
    store.add("a", {3});
    EXPECT_EQ(store.add_matrix("b", {1, 1}, Init::lecun).tensor.data<float>()[0], 0.0f);
    ParameterStore random(uint64_t{1});
    random.add("c", {3});
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b matrix"}));
  ParameterStore store([](const std::string&, const Shape& shape) { return Tensor::full(shape, 5.0f); });
  EXPECT_EQ(store.add("a", {3}).data<float>()[0], 5.0f);
}

}  // namespace
}  // namespace sensorium
