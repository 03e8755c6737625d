#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace sensorium {
namespace {

template <typename Fn>
void expect_error(ErrorKind kind, Fn&& fn) {
  try {
    fn();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
  }
}

TEST(Shape, ElementsIndicesAndText) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.elements(), 30);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(shape.str(), "[2, 3, 5]");
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ((Shape{4, 0}).elements(), 0);
  EXPECT_EQ(shape, (Shape{2, 3, 5}));
  EXPECT_FALSE(shape == (Shape{2, 3}));
  EXPECT_FALSE(shape == (Shape{2, 3, 6}));
}

TEST(Shape, RefusesWhatCannotBe) {
  expect_error(ErrorKind::shape, [] { Shape{1, 1, 1, 1, 1, 1, 1}; });
  expect_error(ErrorKind::shape, [] { Shape{3, -1}; });
  expect_error(ErrorKind::shape, [] { Shape{int64_t{1} << 40, int64_t{1} << 40}; });
  // A zero must not hide that the other dimensions overflow a size.
  expect_error(ErrorKind::shape, [] { Shape{0, int64_t{1} << 40, int64_t{1} << 40}; });
}

TEST(Tensor, FillsEveryType) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::i8, DType::u8, DType::i32, DType::i64}) {
    for (const int64_t count : {0, 1, 3, 2049, 10007}) {
      const Tensor tensor = Tensor::full({count}, 3.0f, dtype);
      for (const float value : tensor.to_floats()) ASSERT_EQ(value, 3.0f) << name_of(dtype) << " " << count;
      for (const float value : Tensor::zeros({count}, dtype).to_floats()) ASSERT_EQ(value, 0.0f);
    }
  }
}

TEST(Tensor, FillOfAViewLeavesTheRest) {
  const Tensor whole = Tensor::zeros({5, 3});
  whole.slice(1, 3).fill(7);
  for (int64_t i = 0; i < 15; ++i) EXPECT_EQ(whole.data<float>()[i], i >= 3 && i < 9 ? 7.0f : 0.0f) << i;
}

TEST(Tensor, FromChecksTheCount) {
  const std::vector<int32_t> values = {1, 2, 3, 4, 5, 6};
  const Tensor tensor = Tensor::from(values, {2, 3});
  EXPECT_EQ(tensor.dtype(), DType::i32);
  EXPECT_EQ(tensor.bytes(), 24u);
  EXPECT_TRUE(std::ranges::equal(tensor.span<int32_t>(), values));
  expect_error(ErrorKind::shape, [&] { Tensor::from(values, {2, 4}); });
  expect_error(ErrorKind::shape, [&] { tensor.data<float>(); });
  expect_error(ErrorKind::shape, [&] { tensor.item(); });
  EXPECT_EQ(Tensor::from(std::vector<float>{2.5f}, {}).item(), 2.5f);
}

TEST(Tensor, ViewsShareMemory) {
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor tensor = Tensor::from(values, {4, 6});
  const Tensor reshaped = tensor.reshape({2, 2, 6}), part = tensor.slice(1, 3), copy = tensor.clone();
  EXPECT_EQ(reshaped.raw(), tensor.raw());
  EXPECT_EQ(part.shape(), (Shape{2, 6}));
  EXPECT_EQ(part.data<float>(), tensor.data<float>() + 6);
  part.data<float>()[0] = -1;
  EXPECT_EQ(reshaped.data<float>()[6], -1);
  EXPECT_EQ(copy.data<float>()[6], 6);
  EXPECT_EQ(part.slice(1, 2).data<float>()[0], 12);
  EXPECT_EQ(tensor.slice(4, 4).elements(), 0);
  expect_error(ErrorKind::shape, [&] { tensor.reshape({5, 5}); });
  expect_error(ErrorKind::shape, [&] { tensor.slice(2, 5); });
  expect_error(ErrorKind::shape, [&] { tensor.slice(3, 2); });
  expect_error(ErrorKind::shape, [&] { tensor.slice(-1, 2); });
}

TEST(Tensor, HandlesShareAndUniqueKnows) {
  Tensor a = Tensor::zeros({3});
  EXPECT_TRUE(a.unique());
  const Tensor b = a;
  EXPECT_EQ(a.id(), b.id());
  EXPECT_FALSE(a.unique());
  const Tensor view = Tensor::zeros({3}).reshape({1, 3});
  EXPECT_TRUE(view.unique());
  Tensor c = Tensor::zeros({3});
  const Tensor detached = c.detach();
  EXPECT_NE(c.id(), detached.id());
  EXPECT_FALSE(c.unique());
}

TEST(Tensor, ConversionRoundsAtEveryPosition) {
  Rng rng(1);
  for (const int64_t count : {1, 31, 32, 33, 100003}) {
    const Tensor wide = Tensor::randn({count}, rng, 100);
    for (const DType dtype : {DType::bf16, DType::f16}) {
      const Tensor narrow = wide.to(dtype), back = narrow.to(DType::f32);
      for (int64_t i = 0; i < count; ++i) {
        const float value = wide.data<float>()[i];
        const float wanted = dtype == DType::bf16 ? static_cast<float>(bf16(value)) : static_cast<float>(f16(value));
        ASSERT_EQ(back.data<float>()[i], wanted) << name_of(dtype) << " " << i;
      }
    }
  }
  Tensor target = Tensor::zeros({3});
  expect_error(ErrorKind::shape, [&] { target.copy_from(Tensor::zeros({4})); });
}

TEST(Tensor, ToTheSameTypeIsAView) {
  const Tensor a = Tensor::zeros({3});
  EXPECT_EQ(a.to(DType::f32).raw(), a.raw());
}

TEST(Tensor, RandnIsSeededAndScaled) {
  Rng one(5), two(5);
  const Tensor a = Tensor::randn({10000}, one, 3), b = Tensor::randn({10000}, two, 3);
  EXPECT_EQ(a.to_floats(), b.to_floats());
  double sum = 0, squares = 0;
  for (const float v : a.to_floats()) sum += v, squares += static_cast<double>(v) * v;
  EXPECT_NEAR(sum / 1e4, 0, 0.12);  // four standard errors
  EXPECT_NEAR(std::sqrt(squares / 1e4), 3, 0.09);
}

TEST(Tensor, BorrowKeepsItsOwner) {
  auto owner = std::make_shared<std::vector<float>>(6, 2.0f);
  const std::weak_ptr<std::vector<float>> watch = owner;
  Tensor part;
  {
    const Tensor borrowed = Tensor::borrow(owner->data(), {2, 3}, DType::f32, owner);
    EXPECT_EQ(borrowed.raw(), owner->data());
    part = borrowed.slice(1, 2);
  }
  owner.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(part.data<float>()[0], 2.0f);
  part = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Storage, BlocksAreAlignedAndReused) {
  release_cached_memory();
  const void* first = nullptr;
  {
    const Tensor a = Tensor::empty({1000});
    first = a.raw();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  }
  {
    const Tensor b = Tensor::empty({999});  // sizes that round to the same block share it
    EXPECT_EQ(b.raw(), first);
    const Tensor c = Tensor::empty({1000});
    EXPECT_NE(c.raw(), first);
  }
  release_cached_memory();
}

TEST(Storage, CountsBytes) {
  const size_t before = tensor_bytes_in_use();
  reset_peak_tensor_bytes();
  {
    const Tensor a = Tensor::empty({1 << 20});
    const size_t with = tensor_bytes_in_use();
    EXPECT_GE(with, before + (4u << 20));
    EXPECT_LE(with, before + (9u << 19));  // blocks are at most an eighth larger
    const Tensor view = a.reshape({1 << 10, 1 << 10});
    EXPECT_EQ(tensor_bytes_in_use(), with);
  }
  EXPECT_EQ(tensor_bytes_in_use(), before);
  EXPECT_GE(peak_tensor_bytes(), before + (4u << 20));
  reset_peak_tensor_bytes();
  EXPECT_EQ(peak_tensor_bytes(), before);
}

TEST(Storage, EmptyTensorsWork) {
  const Tensor a = Tensor::empty({0, 7});
  EXPECT_EQ(a.bytes(), 0u);
  EXPECT_EQ(a.clone().shape(), (Shape{0, 7}));
  EXPECT_TRUE(a.to(DType::bf16).to_floats().empty());
}

TEST(Storage, OtherDevicesAreAnError) {
  expect_error(ErrorKind::unsupported, [] { Tensor::empty({1}, DType::f32, {DeviceKind::cuda, 0}); });
  const size_t before = tensor_bytes_in_use();
  for (const int shift : {46, 55, 61}) expect_error(ErrorKind::limit, [&] { Tensor::empty({int64_t{1} << shift}); });
  EXPECT_EQ(tensor_bytes_in_use(), before);
}

}  // namespace
}  // namespace sensorium
