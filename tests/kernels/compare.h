// Shared by the tests that hold fast kernels against the plain loops.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/isa.h"
#include "kernels/ref/ref.h"

namespace sensorium::kernels {

// `count` floats of any type, after `offset` unused elements, so that views are misaligned.
class Floats {
 public:
  Floats(int64_t count, DType type, int64_t offset = 0)
      : type_(type), offset_(offset), bytes_(static_cast<size_t>(count + offset) * size_of(type)) {}
  Floats(int64_t count, DType type, int64_t offset, Rng& rng, double scale) : Floats(count, type, offset) {
    for (int64_t i = 0; i < count; ++i) set(i, scale * rng.normal());
  }
  int64_t count() const { return static_cast<int64_t>(bytes_.size() / size_of(type_)) - offset_; }
  View view() { return {bytes_.data() + static_cast<size_t>(offset_) * size_of(type_), type_}; }
  float* floats() { return static_cast<float*>(view().data); }
  double get(int64_t i) const {
    return ref::get({bytes_.data() + static_cast<size_t>(offset_) * size_of(type_), type_}, i);
  }
  void set(int64_t i, double value) { ref::set(view(), i, value); }
  bool operator==(const Floats& other) const { return bytes_ == other.bytes_; }

 private:
  DType type_;
  int64_t offset_;
  std::vector<char> bytes_;
};

// Every element within `bound` of the root mean square of what is wanted, plus `bound` of itself.
inline void expect_close(const Floats& got, const Floats& want, double bound, const std::string& what) {
  ASSERT_EQ(got.count(), want.count()) << what;
  double squares = 0, worst = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < want.count(); ++i) squares += want.get(i) * want.get(i);
  const double size = std::sqrt(squares / static_cast<double>(std::max<int64_t>(want.count(), 1)));
  for (int64_t i = 0; i < want.count(); ++i) {
    const double error = std::abs(got.get(i) - want.get(i)) / (size + std::abs(want.get(i)) + 1e-30);
    if (!(error <= worst)) worst = error, where = i;
  }
  EXPECT_LE(worst, bound) << what << " at " << where << ": " << got.get(where) << ", not " << want.get(where);
}

// fn(table, name) for every instruction set that this machine has.
template <typename Fn>
void for_each_isa(Fn&& fn) {
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) fn(cpu_kernels(isa), std::string(name_of(isa)));
  }
}

}  // namespace sensorium::kernels
