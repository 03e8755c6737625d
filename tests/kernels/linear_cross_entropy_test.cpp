// The fused projection and loss of every instruction set beside the plain loops.
#include <cstring>
#include <ostream>

#include "base/threads.h"
#include "kernels/compare.h"
#include "kernels/loss.h"

namespace sensorium::kernels {
namespace {

struct Case {
  std::string name;
  int64_t rows, dim, vocabulary;
  DType type = DType::f32, weight = DType::f32;
  bool scaled = true, gradients = true;
  int64_t offset = 0;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct Problem {
  const Case& c;
  Rng rng{5};
  Floats h, w;
  std::vector<int32_t> targets;
  std::vector<float> scale;

  explicit Problem(const Case& the_case)
      : c(the_case),
        h(c.rows * c.dim, c.type, c.offset, rng, 1.0),
        w(c.vocabulary * c.dim, c.weight, c.offset, rng, 0.3) {
    for (int64_t i = 0; i < c.rows; ++i) {
      targets.push_back(i % 5 == 3 ? -1 : static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.vocabulary))));
      scale.push_back(static_cast<float>(0.1 + rng.uniform()));
    }
  }
  struct Result {
    std::vector<float> losses;
    std::vector<int32_t> best;
    Floats dh, dw;
    bool operator==(const Result& other) const {
      return std::memcmp(losses.data(), other.losses.data(), losses.size() * sizeof(float)) == 0 &&
             best == other.best && dh == other.dh && dw == other.dw;
    }
  };
  Result run(const KernelTable& table) {
    Result r{std::vector<float>(static_cast<size_t>(c.rows)), std::vector<int32_t>(static_cast<size_t>(c.rows)),
             Floats(c.rows * c.dim, c.type, c.offset), Floats(c.vocabulary * c.dim, DType::f32, c.offset)};
    for (int64_t i = 0; i < r.dw.count(); ++i) r.dw.set(i, 0.125 * static_cast<double>(i % 5));
    LinearCrossEntropyArgs a;
    a.rows = c.rows;
    a.dim = c.dim;
    a.vocabulary = c.vocabulary;
    a.h = h.view();
    a.w = w.view();
    a.targets = targets.data();
    a.row_scale = c.scaled ? scale.data() : nullptr;
    a.compute = c.type;
    a.losses = r.losses.data();
    a.best = r.best.data();
    if (c.gradients) {
      a.grad_h = r.dh.view();
      a.grad_w = r.dw.floats();
    }
    table.linear_cross_entropy(a);
    return r;
  }
};

std::vector<Case> cases() {
  std::vector<Case> list = {
      {"one", 1, 8, 1},
      {"small", 5, 16, 30},
      {"odd", 37, 19, 101, DType::f32, DType::f32, true, true, 3},
      {"unscaled", 33, 32, 257, DType::f32, DType::f32, false},
      {"losses_only", 20, 24, 300, DType::f32, DType::f32, true, false},
      {"blocks", 600, 24, 130},
  };
  const size_t base = list.size();
  for (size_t i = 0; i < base; ++i) {
    for (const DType weight : {DType::f32, DType::bf16}) {
      Case c = list[i];
      c.type = DType::bf16;
      c.weight = weight;
      c.name += weight == DType::f32 ? "_bf16" : "_all_bf16";
      list.push_back(c);
    }
  }
  return list;
}

class LinearCrossEntropyCases : public testing::TestWithParam<Case> {};

TEST_P(LinearCrossEntropyCases, EveryInstructionSetEqualsReference) {
  const Case& c = GetParam();
  Problem problem(c);
  const Problem::Result want = problem.run(reference_kernels());
  const bool exact = c.type == DType::f32;
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    const Problem::Result got = problem.run(table);
    const std::string where = c.name + " on " + isa + ", ";
    int64_t other_best = 0;
    for (size_t i = 0; i < want.losses.size(); ++i) {
      ASSERT_NEAR(got.losses[i], want.losses[i], (exact ? 2e-6 : 1e-2) * (1 + std::abs(want.losses[i]))) << where << i;
      other_best += got.best[i] != want.best[i];
    }
    EXPECT_LE(other_best, exact ? 0 : c.rows / 20) << where << "largest logits";
    // bf16: probabilities minus targets are rounded to 2^-9 before the products.
    if (c.gradients) expect_close(got.dh, want.dh, exact ? 2e-5 : 2e-2, where + "dh");
    expect_close(got.dw, want.dw, exact ? 2e-5 : 2e-2, where + "dw");
  });
}

TEST_P(LinearCrossEntropyCases, ThreadsDoNotChangeABit) {
  Problem problem(GetParam());
  const KernelTable& table = cpu_kernels(active_isa());
  const int before = thread_count();
  set_thread_count(1);
  const Problem::Result one = problem.run(table);
  for (const int threads : {2, 3}) {
    set_thread_count(threads);
    EXPECT_TRUE(one == problem.run(table)) << threads;
  }
  set_thread_count(before);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearCrossEntropyCases, testing::ValuesIn(cases()),
                         [](const auto& the_case) { return the_case.param.name; });

TEST(LinearCrossEntropyReference, GradientsEqualFiniteDifferences) {
  const Case c{"differences", 6, 5, 7};
  Problem problem(c);
  const Problem::Result result = problem.run(reference_kernels());
  const auto loss = [&] {
    const Problem::Result r = problem.run(reference_kernels());
    double sum = 0;
    for (size_t i = 0; i < r.losses.size(); ++i) sum += static_cast<double>(r.losses[i]) * problem.scale[i];
    return sum;
  };
  const auto difference = [&](Floats& input, int64_t i) {
    const double x = input.get(i), step = 1e-2;
    input.set(i, x + step);
    const double up = loss();
    input.set(i, x - step);
    const double down = loss();
    input.set(i, x);
    return (up - down) / (2 * step);
  };
  for (int64_t i = 0; i < problem.h.count(); ++i) EXPECT_NEAR(result.dh.get(i), difference(problem.h, i), 1e-3) << i;
  for (int64_t i = 0; i < problem.w.count(); ++i) {
    EXPECT_NEAR(result.dw.get(i) - 0.125 * static_cast<double>(i % 5), difference(problem.w, i), 1e-3) << i;
  }
}

}  // namespace
}  // namespace sensorium::kernels
