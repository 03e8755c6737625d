#include "ops/packed_weight.h"

#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using kernels::PackedType;

ops::PackedWeight packed(const Tensor& w, const char* type) {
  return ops::pack_weight(w, kernels::parse_packed_type(type));
}

// What rounding weights and activations leaves of normal values, relative to the products' size: 0.09 and 0.004 of 4 and 8
// bits of weights, 0.007 of 8 bits of activations.
TEST(PackedLinear, ApproximatesTheProduct) {
  const Tensor w = random_tensor({130, 700}, 1), x = random_tensor({40, 700}, 2), b = random_tensor({130}, 3);
  const Tensor exact = ops::linear(x, w, b);
  for (const auto& [type, bound] :
       {std::pair<const char*, double>{"bf16", 0.004}, {"q8", 0.012}, {"q4", 0.1}, {"q4/32", 0.09}}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Tensor y = ops::packed_linear(x.to(dtype), packed(w, type), b);
      EXPECT_EQ(y.dtype(), dtype);
      const double error = relative_error(y, exact);
      EXPECT_LT(error, bound + (dtype == DType::bf16 ? 0.003 : 0)) << type;
      EXPECT_GT(error, bound / 6) << type;
      EXPECT_EQ(ops::packed_linear(x.to(dtype), packed(w, type), b, DType::f32).dtype(), DType::f32);
    }
  }
}

// One row takes another way than several.
TEST(PackedLinear, OffsetsAreAddedToTheValuesOfTheirGroups) {
  const Tensor w = random_tensor({130, 704}, 1), offsets = random_tensor({130, 22}, 4), b = random_tensor({130}, 3);
  const ops::PackedWeight plain = packed(w, "q4/32"), p = ops::with_offsets(plain, offsets);
  EXPECT_EQ(ops::name_of(p), "q4/32 + offsets");
  EXPECT_EQ(p.bytes.elements(), plain.layout.bytes() + ops::offset_layout(plain.layout).bytes());
  const std::vector<float> values = ops::unpack(plain, DType::f32).to_floats(),
                           all = ops::unpack(p, DType::f32).to_floats(),
                           added = ops::unpack(packed(offsets, "q8/32"), DType::f32).to_floats();
  for (size_t i = 0; i < all.size(); ++i) ASSERT_FLOAT_EQ(all[i], values[i] + added[i / 704 * 22 + i % 704 / 32]) << i;
  for (const int64_t rows : {1, 2, 40}) {
    const Tensor x = random_tensor({rows, 704}, 2);
    const Tensor exact = ops::linear(x, ops::unpack(p, DType::f32), b);
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Tensor y = ops::packed_linear(x.to(dtype), p, b);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_LT(relative_error(y, exact), 0.012) << rows;
    }
  }
}

// In the pass of the product, behind offsets, and where gradients are recorded.
TEST(PackedLinear, ActivationIsThatOfTheResult) {
  const Tensor w = random_tensor({130, 704}, 1), b = random_tensor({130}, 3);
  const ops::PackedWeight plain = packed(w, "q4/32"), shifted = ops::with_offsets(plain, random_tensor({130, 22}, 4));
  for (const ops::PackedWeight& p : {plain, shifted}) {
    for (const int64_t rows : {1, 40}) {
      for (const bool recorded : {false, true}) {
        Tensor x = random_tensor({rows, 704}, 2);
        x.set_requires_grad(recorded);
        const Tensor y = ops::packed_linear(x, p, b, DType::f32, kernels::Unary::gelu_erf);
        EXPECT_EQ(y.requires_grad(), recorded);
        EXPECT_LT(relative_error(y, ops::gelu(ops::packed_linear(x, p, b))), 1e-6);
      }
    }
  }
}

TEST(PackedLinear, RowsAreThoseOfTheMatrix) {
  const Tensor w = random_tensor({70, 96}, 1);
  for (const char* type : {"bf16", "q8", "q4", "shifted"}) {
    const bool with_offsets = std::string_view(type) == "shifted";
    const ops::PackedWeight p =
        with_offsets ? ops::with_offsets(packed(w, "q4/32"), random_tensor({70, 3}, 5)) : packed(w, type);
    const std::vector<float> all = ops::unpack(p, DType::f32).to_floats();
    const Tensor rows = ops::packed_rows(p, Tensor::from(std::vector<int32_t>{69, -1, 3}, {3}), DType::f32);
    std::vector<float> wanted(all.begin() + 69 * 96, all.begin() + 70 * 96);
    wanted.resize(2 * 96, 0.0f);
    wanted.insert(wanted.end(), all.begin() + 3 * 96, all.begin() + 4 * 96);
    EXPECT_EQ(rows.to_floats(), wanted) << type;
    expect_error(ErrorKind::shape,
                 [&] { ops::packed_rows(p, Tensor::from(std::vector<int32_t>{70}, {1}), DType::f32); });
  }
}

// The gradient of the product with the weights' values, which the rounded activations do not change.
TEST(PackedLinear, Gradients) {
  for (const bool with_offsets : {false, true}) {
    ops::PackedWeight p = packed(random_tensor({9, 40}, 1), "q4/32");
    if (with_offsets) p = ops::with_offsets(p, random_tensor({9, 2}, 7));
    const Tensor w = ops::unpack(p, DType::f32);
    for (const int64_t rows : {7, 0}) {
      Tensor x = random_tensor({rows, 40}, 2), b = random_tensor({9}, 3), x2 = x.clone(), b2 = b.clone();
      for (Tensor* leaf : {&x, &b, &x2, &b2}) leaf->set_requires_grad(true);
      const Tensor one = Tensor::zeros({1, 9});
      backward(ops::mean(ops::concat_rows({ops::packed_linear(x, p, b), one})));
      backward(ops::mean(ops::concat_rows({ops::linear(x2, w, b2), one})));
      expect_values(x.grad(), x2.grad().to_floats());
      expect_values(b.grad(), b2.grad().to_floats());
    }
  }
}

TEST(PackedLinear, RefusesWhatDoesNotFit) {
  const ops::PackedWeight p = packed(random_tensor({9, 40}, 1), "q8");
  const Tensor x = Tensor::zeros({2, 40});
  expect_error(ErrorKind::shape, [&] { ops::packed_linear(Tensor::zeros({2, 39}), p); });
  expect_error(ErrorKind::shape, [&] { ops::packed_linear(x, p, Tensor::zeros({8})); });
  expect_error(ErrorKind::shape, [&] { ops::packed_linear(x, {}); });
  expect_error(ErrorKind::shape, [&] { ops::packed_linear(x, p, {}, DType::f16); });
  expect_error(ErrorKind::shape, [&] { ops::pack_weight(Tensor::zeros({2, 2, 2}), p.layout); });
  expect_error(ErrorKind::shape, [&] { ops::pack_weight(Tensor::zeros({2, 2}, DType::i8), p.layout); });
  expect_error(ErrorKind::invalid_data, [&] { ops::view_packed(p.bytes.slice(0, p.bytes.elements() - 1), p.layout); });
  expect_error(ErrorKind::invalid_data,
               [&] { ops::view_packed(Tensor::zeros({p.layout.bytes()}, DType::i8), p.layout); });
}

}  // namespace
}  // namespace sensorium
