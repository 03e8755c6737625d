// Convolutions of every instruction set beside the plain loops, and the plain loops' gradients beside finite differences.
#include "kernels/conv.h"

#include <ostream>

#include "base/threads.h"
#include "kernels/compare.h"

namespace sensorium::kernels {
namespace {

struct Case {
  std::string name;
  std::vector<int32_t> heights, widths;
  int64_t in, out, kernel, stride, padding;
  bool depthwise = false;
  bool bias = true;
  DType type = DType::f32, weight = DType::f32;
  int64_t offset = 0;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct Problem {
  const Case& c;
  int64_t positions = 0, outputs = 0, weights;
  Rng rng{3};
  Floats x, dy, w, bias;

  explicit Problem(const Case& the_case)
      : c(the_case),
        weights(c.out * c.kernel * c.kernel * (c.depthwise ? 1 : c.in)),
        x((count(), positions) * c.in, c.type, c.offset, rng, 1.0),
        dy(outputs * c.out, c.type, c.offset, rng, 1.0),
        w(weights, c.weight, c.offset, rng, 1.0),
        bias(c.out, DType::f32, 0, rng, 1.0) {}
  void count() {
    for (size_t i = 0; i < c.heights.size(); ++i) {
      positions += int64_t{c.heights[i]} * c.widths[i];
      outputs += conv_output_size(c.heights[i], c.kernel, c.stride, c.padding) *
                 conv_output_size(c.widths[i], c.kernel, c.stride, c.padding);
    }
  }
  Conv2dArgs args(Floats& x_like, Floats& y_like, Floats& w_like, Floats* bias_like) {
    Conv2dArgs a;
    a.heights = c.heights;
    a.widths = c.widths;
    a.in_channels = c.in;
    a.out_channels = c.out;
    a.kernel = c.kernel;
    a.stride = c.stride;
    a.padding = c.padding;
    a.groups = c.depthwise ? c.in : 1;
    a.x = x_like.view();
    a.y = y_like.view();
    a.w = w_like.view();
    a.bias = c.bias && bias_like != nullptr ? bias_like->floats() : nullptr;
    a.compute = c.type;
    return a;
  }
  struct Result {
    Floats y, dx, dw, db;
  };
  Result run(const KernelTable& table) {
    Result r{Floats(outputs * c.out, c.type, c.offset), Floats(positions * c.in, c.type, c.offset),
             Floats(weights, DType::f32, c.offset), Floats(c.out, DType::f32)};
    // Gradients of the input are written, those of the weights are added.
    for (int64_t i = 0; i < r.dx.count(); ++i) r.dx.set(i, 99.0);
    for (int64_t i = 0; i < r.dw.count(); ++i) r.dw.set(i, 0.25 * static_cast<double>(i % 7));
    for (int64_t i = 0; i < r.db.count(); ++i) r.db.set(i, 1.0);
    table.conv2d(args(x, r.y, w, &bias));
    table.conv2d_backward_input(args(r.dx, dy, w, nullptr));
    table.conv2d_backward_weight(args(x, dy, r.dw, &r.db));
    return r;
  }
};

std::vector<Case> cases() {
  std::vector<Case> list = {
      {"one_position", {1}, {1}, 1, 1, 1, 1, 0},
      {"pointwise", {5, 3}, {7, 4}, 12, 20, 1, 1, 0},
      {"pointwise_stride", {5, 8}, {7, 9}, 6, 9, 1, 2, 0},
      {"stem7", {21, 16}, {18, 31}, 3, 16, 7, 2, 3, false, false},
      {"stem3", {17, 9, 12}, {13, 22, 5}, 3, 32, 3, 2, 1},
      {"three", {9, 6, 1}, {11, 6, 5}, 16, 24, 3, 1, 1},
      {"three_odd", {7, 4}, {5, 9}, 5, 7, 3, 1, 1, false, true, DType::f32, DType::f32, 3},
      {"no_padding", {7, 5}, {8, 5}, 8, 12, 3, 1, 0},
      {"wide_padding", {4, 3}, {5, 2}, 4, 6, 3, 1, 3},
      {"stride3", {13, 10}, {11, 16}, 6, 5, 3, 3, 1},
      {"gap", {9, 7}, {8, 11}, 4, 8, 2, 3, 0},
      {"patches", {16, 32}, {24, 8}, 3, 40, 8, 8, 0},
      {"wide", {20, 33}, {31, 14}, 64, 72, 3, 1, 1},
      {"depthwise", {9, 6}, {7, 12}, 19, 19, 3, 1, 1, true},
      {"depthwise_stride", {9, 6}, {8, 13}, 32, 32, 5, 2, 2, true},
      {"not_reached", {2, 5}, {2, 6}, 3, 4, 3, 2, 0},
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

class ConvCases : public testing::TestWithParam<Case> {};

TEST_P(ConvCases, EveryInstructionSetEqualsReference) {
  const Case& c = GetParam();
  Problem problem(c);
  const Problem::Result want = problem.run(reference_kernels());
  // bf16: weights given as f32 are rounded to 2^-9 before the products, and so are results.
  const bool exact = c.type == DType::f32;
  const double bound = exact ? 2e-5 : 1e-2;
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    const Problem::Result got = problem.run(table);
    const std::string where = c.name + " on " + isa + ", ";
    expect_close(got.y, want.y, bound, where + "y");
    expect_close(got.dx, want.dx, bound, where + "dx");
    expect_close(got.dw, want.dw, 2e-5, where + "dw");
    expect_close(got.db, want.db, 2e-5, where + "db");
  });
}

TEST_P(ConvCases, ThreadsDoNotChangeABit) {
  Problem problem(GetParam());
  const KernelTable& table = cpu_kernels(active_isa());
  const int before = thread_count();
  set_thread_count(1);
  const Problem::Result one = problem.run(table);
  for (const int threads : {2, 3}) {
    set_thread_count(threads);
    const Problem::Result more = problem.run(table);
    EXPECT_TRUE(one.y == more.y && one.dx == more.dx && one.dw == more.dw && one.db == more.db) << threads;
  }
  set_thread_count(before);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvCases, testing::ValuesIn(cases()),
                         [](const auto& the_case) { return the_case.param.name; });

TEST(ConvReference, GradientsEqualFiniteDifferences) {
  for (const bool depthwise : {false, true}) {
    const Case c{"differences", {4, 3}, {5, 3}, 4, 4, 3, 2, 1, depthwise};
    Problem problem(c);
    Problem::Result result = problem.run(reference_kernels());
    const auto loss = [&] {
      Floats y(problem.outputs * c.out, DType::f32);
      ref::conv2d(problem.args(problem.x, y, problem.w, &problem.bias));
      double sum = 0;
      for (int64_t i = 0; i < y.count(); ++i) sum += y.get(i) * problem.dy.get(i);
      return sum;
    };
    const auto difference = [&](Floats& input, int64_t i) {
      const double x = input.get(i);
      input.set(i, x + 0.5);  // the function is linear in each input: the step may be large
      const double up = loss();
      input.set(i, x - 0.5);
      const double down = loss();
      input.set(i, x);
      return up - down;
    };
    for (int64_t i = 0; i < problem.x.count(); ++i) EXPECT_NEAR(result.dx.get(i), difference(problem.x, i), 1e-4) << i;
    for (int64_t i = 0; i < problem.w.count(); ++i) {
      EXPECT_NEAR(result.dw.get(i) - 0.25 * static_cast<double>(i % 7), difference(problem.w, i), 1e-4) << i;
    }
    for (int64_t i = 0; i < c.out; ++i) EXPECT_NEAR(result.db.get(i) - 1.0, difference(problem.bias, i), 1e-4) << i;
  }
}

}  // namespace
}  // namespace sensorium::kernels
