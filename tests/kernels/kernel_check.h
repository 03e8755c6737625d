// What the tests of kernels share: buffers of any element type and alignment with guarded ends, loops over the
// instruction sets of this machine, comparison with stated bounds.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/isa.h"
#include "kernels/table.h"

namespace sensorium::kernels {

// `count` elements that start `offset` elements after a 64-byte boundary; writes past either end show in intact().
class Buffer {
 public:
  explicit Buffer(int64_t count, DType dtype = DType::f32, int64_t offset = 0)
      : count_(count),
        dtype_(dtype),
        start_(kGuard + static_cast<size_t>(offset) * size_of(dtype)),
        bytes_(static_cast<size_t>(count) * size_of(dtype) + start_ + kGuard + 64, std::byte{0xA5}) {
    start_ += (64 - reinterpret_cast<uintptr_t>(bytes_.data()) % 64) % 64;
    std::memset(bytes_.data() + start_, 0, size_bytes());
  }
  Buffer(const Buffer& other) : Buffer(other.count_, other.dtype_) {
    std::memcpy(bytes_.data() + start_, other.data(), size_bytes());
  }
  Buffer& operator=(const Buffer&) = delete;

  static Buffer normal(Rng& rng, int64_t count, DType dtype = DType::f32, int64_t offset = 0, double stddev = 1,
                       double mean = 0) {
    Buffer buffer(count, dtype, offset);
    for (int64_t i = 0; i < count; ++i) buffer.set(i, mean + rng.normal() * stddev);
    return buffer;
  }

  int64_t count() const { return count_; }
  size_t size_bytes() const { return static_cast<size_t>(count_) * size_of(dtype_); }
  void* data() const { return const_cast<std::byte*>(bytes_.data()) + start_; }
  float* floats() const { return static_cast<float*>(data()); }
  View view() const { return {data(), dtype_}; }

  double operator[](int64_t i) const {
    return dtype_ == DType::f32    ? static_cast<double>(floats()[i])
           : dtype_ == DType::bf16 ? static_cast<double>(static_cast<float>(static_cast<const bf16*>(data())[i]))
                                   : static_cast<double>(static_cast<float>(static_cast<const f16*>(data())[i]));
  }
  void set(int64_t i, double value) {
    const auto narrow = static_cast<float>(value);
    if (dtype_ == DType::f32) floats()[i] = narrow;
    if (dtype_ == DType::bf16) static_cast<bf16*>(data())[i] = bf16(narrow);
    if (dtype_ == DType::f16) static_cast<f16*>(data())[i] = f16(narrow);
  }
  bool same_bytes(const Buffer& other) const { return std::memcmp(data(), other.data(), size_bytes()) == 0; }
  bool intact() const {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if ((i < start_ || i >= start_ + size_bytes()) && bytes_[i] != std::byte{0xA5}) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 128;
  int64_t count_;
  DType dtype_;
  size_t start_;
  std::vector<std::byte> bytes_;
};

// |actual - wanted| <= absolute + relative * |wanted|; bf16 results may differ by one unit in the last place besides.
struct Bound {
  double absolute = 0, relative = 0;
};
constexpr double kBf16Step = 0x1.0p-7;

inline void expect_close(const Buffer& actual, const Buffer& wanted, Bound bound, const std::string& what) {
  EXPECT_TRUE(actual.intact()) << what << ": writes outside of its output";
  ASSERT_EQ(actual.count(), wanted.count());
  if (actual.view().dtype == DType::bf16) bound.relative += kBf16Step;
  for (int64_t i = 0; i < actual.count(); ++i) {
    const double a = actual[i], w = wanted[i];
    if (std::isnan(w) ? std::isnan(a) : a == w) continue;
    ASSERT_LE(std::abs(a - w), bound.absolute + bound.relative * std::abs(w))
        << what << ": element " << i << " of " << actual.count() << " is " << a << ", expected " << w;
  }
}

// Calls fn(table, name) for every instruction set that this machine runs.
inline void for_each_isa(const std::function<void(const KernelTable&, const std::string&)>& fn) {
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) fn(cpu_kernels(isa), std::string(name_of(isa)));
  }
}

// Runs `fn` with one, two and three threads; every result must have the bytes of the first.
inline void expect_thread_independent(const std::function<Buffer(const KernelTable&)>& fn) {
  const int outer = thread_count();
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    set_thread_count(1);
    const Buffer first = fn(table);
    for (const int threads : {2, 3}) {
      set_thread_count(threads);
      EXPECT_TRUE(fn(table).same_bytes(first)) << isa << " gives other bits with " << threads << " threads";
    }
  });
  set_thread_count(outer);
}

// d(sum of g * y) / dx by central differences, where `run` computes y from x.
inline std::vector<double> numeric_gradient(Buffer& x, const Buffer& g, double step,
                                            const std::function<Buffer()>& run) {
  const auto objective = [&] {
    const Buffer y = run();
    double sum = 0;
    for (int64_t i = 0; i < g.count(); ++i) sum += g[i] * y[i];
    return sum;
  };
  std::vector<double> gradient;
  for (int64_t i = 0; i < x.count(); ++i) {
    const double middle = x[i];
    x.set(i, middle + step);
    const double above = x[i], high = objective();
    x.set(i, middle - step);
    const double below = x[i], low = objective();
    x.set(i, middle);
    gradient.push_back((high - low) / (above - below));
  }
  return gradient;
}

inline void expect_gradient(const Buffer& actual, const std::vector<double>& wanted, double absolute,
                            const char* what) {
  ASSERT_EQ(static_cast<size_t>(actual.count()), wanted.size());
  for (int64_t i = 0; i < actual.count(); ++i) {
    EXPECT_NEAR(actual[i], wanted[static_cast<size_t>(i)], absolute) << what << ", element " << i;
  }
}

constexpr DType kActivationTypes[] = {DType::f32, DType::bf16};

}  // namespace sensorium::kernels
