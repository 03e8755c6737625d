// Rotary positions and the fused norm of heads, beside the plain loops.
#include "kernels/rope.h"

#include <ostream>

#include "base/threads.h"
#include "kernels/compare.h"

namespace sensorium::kernels {
namespace {

struct Case {
  std::string name;
  int64_t rows, heads, kv_heads, head_dim;
  int axes = 1;
  bool norm = true, turned = true;
  int32_t farthest = 60;
  DType type = DType::f32;
  int64_t offset = 0;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct Problem {
  const Case& c;
  int64_t width;
  Rng rng{9};
  Floats qkv, dy, q_weight, k_weight;
  std::vector<int32_t> positions;

  explicit Problem(const Case& the_case)
      : c(the_case),
        width((c.heads + 2 * c.kv_heads) * c.head_dim),
        qkv(c.rows * width, c.type, c.offset, rng, 1.0),
        dy(c.rows * width, c.type, c.offset, rng, 1.0),
        q_weight(c.head_dim, DType::f32, 0, rng, 1.0),
        k_weight(c.head_dim, DType::f32, 0, rng, 1.0) {
    for (int64_t i = 0; i < c.rows * c.axes; ++i) positions.push_back(static_cast<int32_t>(rng.integer(0, c.farthest)));
  }
  RopeTable table() const {
    return {.positions = c.turned ? positions.data() : nullptr, .axes = c.axes, .theta = 10000.0f};
  }
  struct Result {
    Floats y, inverse, dqkv, dq_weight, dk_weight, plain, back;
  };
  Result run(const KernelTable& kernels) {
    const int64_t turned = c.heads + c.kv_heads;
    Result r{Floats(c.rows * width, c.type, c.offset),
             Floats(c.rows * turned, DType::f32),
             Floats(c.rows * width, c.type, c.offset),
             Floats(c.head_dim, DType::f32),
             Floats(c.head_dim, DType::f32),
             qkv,
             qkv};
    HeadNormRopeArgs a;
    a.rows = c.rows;
    a.heads = c.heads;
    a.kv_heads = c.kv_heads;
    a.head_dim = c.head_dim;
    a.qkv = qkv.view();
    a.q_weight = c.norm ? q_weight.floats() : nullptr;
    a.k_weight = c.norm ? k_weight.floats() : nullptr;
    a.table = table();
    a.y = r.y.view();
    a.inverse_rms = c.norm ? r.inverse.floats() : nullptr;
    kernels.head_norm_rope(a);
    kernels.head_norm_rope_backward({a, dy.view(), r.dqkv.view(), c.norm ? r.dq_weight.floats() : nullptr,
                                     c.norm ? r.dk_weight.floats() : nullptr});
    if (c.turned) {
      RopeArgs turn;
      turn.rows = c.rows;
      turn.heads = c.heads;
      turn.head_dim = c.head_dim;
      turn.x = r.plain.view();
      turn.row_stride = width;
      turn.table = table();
      kernels.rope(turn);
      turn.x = r.back.view();
      turn.inverse = true;
      kernels.rope(turn);
    }
    return r;
  }
};

std::vector<Case> cases() {
  std::vector<Case> list = {
      {"one", 1, 1, 1, 8},
      {"decoder", 130, 6, 2, 64},
      {"pictures", 77, 3, 3, 64, 2},
      {"odd", 35, 2, 1, 40, 2, true, true, 60, DType::f32, 3},
      {"no_norm", 19, 2, 1, 32, 1, false},
      {"no_turn", 19, 2, 1, 32, 1, true, false},
      {"far", 21, 2, 1, 64, 1, true, true, 1 << 20},
      {"wide", 10, 1, 1, 256},
  };
  const size_t base = list.size();
  for (size_t i = 0; i < base; ++i) {
    Case c = list[i];
    c.type = DType::bf16;
    c.name += "_bf16";
    list.push_back(c);
  }
  return list;
}

class RopeCases : public testing::TestWithParam<Case> {};

TEST_P(RopeCases, EveryInstructionSetEqualsReference) {
  const Case& c = GetParam();
  Problem problem(c);
  const Problem::Result want = problem.run(reference_kernels());
  const double bound = c.type == DType::f32 ? 3e-6 : 8e-3;
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    const Problem::Result got = problem.run(table);
    const std::string where = c.name + " on " + isa + ", ";
    expect_close(got.y, want.y, bound, where + "y");
    expect_close(got.inverse, want.inverse, 3e-6, where + "inverse_rms");
    expect_close(got.dqkv, want.dqkv, bound, where + "dqkv");
    expect_close(got.dq_weight, want.dq_weight, 2e-5, where + "dq_weight");
    expect_close(got.dk_weight, want.dk_weight, 2e-5, where + "dk_weight");
    expect_close(got.plain, want.plain, bound, where + "rope");
    expect_close(got.back, want.back, bound, where + "inverse rope");
  });
}

TEST_P(RopeCases, ThreadsDoNotChangeABit) {
  Problem problem(GetParam());
  const KernelTable& table = cpu_kernels(active_isa());
  const int before = thread_count();
  set_thread_count(1);
  const Problem::Result one = problem.run(table);
  set_thread_count(3);
  const Problem::Result more = problem.run(table);
  set_thread_count(before);
  EXPECT_TRUE(one.y == more.y && one.dqkv == more.dqkv && one.dq_weight == more.dq_weight &&
              one.dk_weight == more.dk_weight && one.plain == more.plain);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RopeCases, testing::ValuesIn(cases()),
                         [](const auto& the_case) { return the_case.param.name; });

TEST(RopeReference, PairsTurnByTheirOwnAngle) {
  // Llama's layout: channel c pairs with c + D/2 and turns by position * theta^(-2c/D).
  std::vector<float> x = {1, 1, 0, 0};
  const int32_t position = 3;
  RopeArgs a;
  a.rows = a.heads = 1;
  a.head_dim = a.row_stride = 4;
  a.x = {x.data(), DType::f32};
  a.table = {.positions = &position, .axes = 1, .theta = 100.0f};
  ref::rope(a);
  EXPECT_NEAR(x[0], std::cos(3.0), 1e-6);
  EXPECT_NEAR(x[2], std::sin(3.0), 1e-6);
  EXPECT_NEAR(x[1], std::cos(0.3), 1e-6);
  EXPECT_NEAR(x[3], std::sin(0.3), 1e-6);
}

TEST(RopeReference, GradientsEqualFiniteDifferences) {
  const Case c{"differences", 3, 2, 1, 8, 2};
  Problem problem(c);
  const Problem::Result result = problem.run(reference_kernels());
  const auto loss = [&] {
    const Problem::Result r = problem.run(reference_kernels());
    double sum = 0;
    for (int64_t i = 0; i < r.y.count(); ++i) sum += r.y.get(i) * problem.dy.get(i);
    return sum;
  };
  const auto check = [&](Floats& input, const Floats& grad, const char* name) {
    for (int64_t i = 0; i < input.count(); ++i) {
      const double x = input.get(i), step = 1e-2;
      input.set(i, x + step);
      const double up = loss();
      input.set(i, x - step);
      const double down = loss();
      input.set(i, x);
      EXPECT_NEAR(grad.get(i), (up - down) / (2 * step), 2e-3) << name << " " << i;
    }
  };
  check(problem.qkv, result.dqkv, "qkv");
  check(problem.q_weight, result.dq_weight, "q_weight");
  check(problem.k_weight, result.dk_weight, "k_weight");
}

}  // namespace
}  // namespace sensorium::kernels
