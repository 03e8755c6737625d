// Every instruction set's attention beside the plain loops, and the plain loops' gradients beside finite differences.
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/isa.h"
#include "kernels/ref/ref.h"

namespace sensorium::kernels {
namespace {

struct Case {
  std::string name;
  int64_t heads, kv_heads, head_dim;
  std::vector<int32_t> queries, keys;  // lengths
  bool causal = false;
  int64_t gap = 0;  // elements between rows, and before the first: odd strides and misaligned views
  DType type = DType::f32;
  DType cache = DType::f32;  // of keys and values
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Values {
 public:
  Values(int64_t count, DType type, double scale, Rng& rng) : type_(type), bytes_(static_cast<size_t>(count) * 4) {
    for (int64_t i = 0; i < count; ++i) ref::set(view(), i, scale * rng.normal());
  }
  View view(int64_t offset = 0) { return {bytes_.data() + static_cast<size_t>(offset) * size_of(type_), type_}; }
  double get(int64_t i) { return ref::get(view(), i); }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  DType type_;
  std::vector<char> bytes_;
};

// One problem with the memory of its operands; run by any table.
struct Problem {
  const Case& c;
  std::vector<int32_t> query_offsets{0}, key_offsets{0};
  int64_t T, S, q_stride, kv_stride, out_stride, start;
  Rng rng{7};
  Values q, k, v, dout;

  static int64_t sum(const std::vector<int32_t>& lengths, std::vector<int32_t>& offsets) {
    for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
    return offsets.back();
  }
  explicit Problem(const Case& the_case)
      : c(the_case),
        T(sum(c.queries, query_offsets)),
        S(sum(c.keys, key_offsets)),
        q_stride(c.heads * c.head_dim + c.gap),
        kv_stride(c.kv_heads * c.head_dim + 3 * c.gap),
        out_stride(c.heads * c.head_dim + 2 * c.gap),
        start(c.gap),
        q(start + T * q_stride, c.type, 1.0, rng),
        k(start + S * kv_stride, c.cache, 1.0, rng),
        v(start + S * kv_stride, c.cache, 1.0, rng),
        dout(start + T * out_stride, c.type, 1.0, rng) {}

  struct Result {
    std::vector<char> out, dq, dk, dv;
    std::vector<float> lse;
  };
  AttentionArgs args(Result& r) {
    AttentionArgs a;
    a.heads = c.heads;
    a.kv_heads = c.kv_heads;
    a.head_dim = c.head_dim;
    a.q = {q.view(start).data, c.type, q_stride, c.head_dim};
    a.k = {k.view(start).data, c.cache, kv_stride, c.head_dim};
    a.v = {v.view(start).data, c.cache, kv_stride, c.head_dim};
    a.sequences = static_cast<int64_t>(c.queries.size());
    a.query_offsets = query_offsets.data();
    a.key_offsets = key_offsets.data();
    a.causal = c.causal;
    a.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    a.out = r.out.data();
    a.out_row_stride = out_stride;
    a.log_sum_exp = r.lse.data();
    return a;
  }
  Result run(void (*forward)(const AttentionArgs&), void (*backward)(const AttentionBackwardArgs&)) {
    // Filled with a pattern, so that writes outside the rows show up as differences.
    Result r{std::vector<char>(static_cast<size_t>(T * out_stride) * 4, 0x3C),
             std::vector<char>(static_cast<size_t>(T * q_stride) * 4, 0x3C),
             std::vector<char>(static_cast<size_t>(S * kv_stride) * 4, 0x3C),
             std::vector<char>(static_cast<size_t>(S * kv_stride) * 4, 0x3C),
             std::vector<float>(static_cast<size_t>(c.heads * T))};
    const AttentionArgs a = args(r);
    forward(a);
    if (backward != nullptr) backward({a, dout.view(start).data, r.dq.data(), r.dk.data(), r.dv.data()});
    return r;
  }
};

void expect_near(const std::vector<char>& got, const std::vector<char>& want, DType type, double bound,
                 const std::string& what) {
  const auto count = static_cast<int64_t>(want.size() / size_of(type));
  double worst = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double a = ref::get({got.data(), type}, i), b = ref::get({want.data(), type}, i);
    const double error = std::abs(a - b) / (1.0 + std::abs(b));
    if (!(error <= worst)) worst = error, where = i;
  }
  EXPECT_LE(worst, bound) << what << " at " << where << ": " << ref::get({got.data(), type}, where) << ", not "
                          << ref::get({want.data(), type}, where);
}

std::vector<Case> cases() {
  std::vector<Case> list = {
      {"one", 1, 1, 8, {1}, {1}},
      {"tiny", 2, 2, 16, {5}, {5}},
      {"odd", 2, 1, 24, {7, 1, 33}, {7, 1, 33}, true},
      {"longer_keys", 4, 2, 64, {9, 50}, {20, 61}, true, 3},
      {"blocks", 2, 2, 64, {257}, {257}, true, 8},
      {"cross", 3, 3, 40, {53, 6}, {300, 17}, false, 5},
      {"cross_fewer_keys", 2, 2, 32, {70}, {3}, false},
      {"wide", 1, 1, 256, {49, 97}, {49, 97}, true},
      {"head80", 2, 2, 80, {66}, {66}, false, 1},
      {"key_blocks", 1, 1, 80, {50, 70, 9}, {257, 641, 320}, false, 1},
      {"decode", 6, 2, 64, {1, 1, 1}, {700, 1, 33}, true},
      {"decode_some", 2, 2, 72, {3, 0, 4}, {1100, 5, 9}, true, 7},
      {"empty_keys", 2, 2, 16, {8, 9}, {0, 9}, false},
      {"vit", 2, 2, 64, {577}, {577}, false},
  };
  const size_t base = list.size();
  for (size_t i = 0; i < base; ++i) {
    Case bf16 = list[i];
    bf16.type = bf16.cache = DType::bf16;
    bf16.name += "_bf16";
    list.push_back(bf16);
  }
  for (const size_t i : {size_t{5}, size_t{9}, size_t{10}}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      for (const DType cache : {DType::f16, DType::bf16}) {
        if (type == cache) continue;
        Case mixed = list[i];
        mixed.type = type;
        mixed.cache = cache;
        mixed.name += "_" + std::string(sensorium::name_of(type)) + "_" + std::string(sensorium::name_of(cache));
        list.push_back(mixed);
      }
    }
  }
  return list;
}

bool has_backward(const Case& c) { return c.type == c.cache; }

class AttentionCases : public testing::TestWithParam<Case> {};

TEST_P(AttentionCases, EveryInstructionSetEqualsReference) {
  const Case& c = GetParam();
  Problem problem(c);
  const bool backward = has_backward(c);
  Problem::Result want = problem.run(ref::attention, backward ? ref::attention_backward : nullptr);
  // f32: rounding of sums of up to 600 terms. bf16: results are rounded to 2^-9, and so are weights and their gradients
  // before they are summed; f16 keys beside bf16 queries are rounded as well.
  const bool exact = c.type == DType::f32;
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    const KernelTable& table = cpu_kernels(isa);
    const Problem::Result got = problem.run(table.attention, backward ? table.attention_backward : nullptr);
    const std::string where = c.name + " on " + std::string(name_of(isa)) + ", ";
    expect_near(got.out, want.out, c.type, exact ? 1e-5 : 1e-2, where + "out");
    for (size_t i = 0; i < want.lse.size(); ++i) {
      if (std::isinf(want.lse[i])) {
        EXPECT_EQ(got.lse[i], want.lse[i]) << where << "log_sum_exp of a row without keys";
      } else {
        ASSERT_NEAR(got.lse[i], want.lse[i], exact ? 1e-5 : 3e-3) << where << "log_sum_exp " << i;
      }
    }
    if (!backward) continue;
    expect_near(got.dq, want.dq, c.type, exact ? 3e-5 : 2e-2, where + "dq");
    expect_near(got.dk, want.dk, c.type, exact ? 3e-5 : 2e-2, where + "dk");
    expect_near(got.dv, want.dv, c.type, exact ? 3e-5 : 2e-2, where + "dv");
  }
}

// Keys and values in pages [heads, kPageRows, D] behind a gap, in a scattered order, as `type`.
class Pages {
 public:
  static constexpr int64_t kPageRows = 64;

  Pages(Problem& problem, Values& rows, DType type) : c_(problem.c), type_(type) {
    const int64_t D = c_.head_dim, row_bytes = D * static_cast<int64_t>(size_of(type));
    scales_ = kGap + c_.kv_heads * kPageRows * row_bytes;
    const int64_t page_bytes = scales_ + c_.kv_heads * kPageRows * 4;
    int64_t pages = 0;
    for (const int32_t keys : c_.keys) {
      first_.push_back(static_cast<int32_t>(pages));
      pages += (keys + kPageRows - 1) / kPageRows;
    }
    memory_.assign(static_cast<size_t>(pages * page_bytes + 64), 0x7F);
    for (int64_t i = 0; i < pages; ++i) table_.push_back(memory_.data() + (pages - 1 - i) * page_bytes);
    for (size_t i = 0; i < c_.keys.size(); ++i) {
      for (int64_t s = 0; s < c_.keys[i]; ++s) {
        char* page =
            const_cast<char*>(static_cast<const char*>(table_[static_cast<size_t>(first_[i] + s / kPageRows)]));
        const int64_t from = problem.start + (problem.key_offsets[i] + s) * problem.kv_stride;
        ref::store_kv_rows({.rows = 1,
                            .heads = c_.kv_heads,
                            .head_dim = D,
                            .x = rows.view(from),
                            .page = {page + kGap, type},
                            .scales = reinterpret_cast<float*>(page + scales_),
                            .page_rows = kPageRows,
                            .first = s % kPageRows});
      }
    }
  }
  HeadsView view() const {
    return {.dtype = type_,
            .row_stride = c_.head_dim,
            .head_stride = kPageRows * c_.head_dim,
            .in = {.pages = table_.data(),
                   .first_page = first_.data(),
                   .page_rows = kPageRows,
                   .offset = kGap,
                   .scale_offset = scales_}};
  }

 private:
  static constexpr int64_t kGap = 32;
  const Case& c_;
  DType type_;
  int64_t scales_ = 0;
  std::vector<char> memory_;
  std::vector<const void*> table_;
  std::vector<int32_t> first_;
};

// Where keys and values lie changes no bit.
TEST_P(AttentionCases, PagesEqualOnePiece) {
  const Case& c = GetParam();
  Problem problem(c);
  const Pages keys(problem, problem.k, c.cache), values(problem, problem.v, c.cache);
  const auto paged = [&](void (*attention)(const AttentionArgs&)) {
    return [&keys, &values, attention](AttentionArgs args) {
      args.k = keys.view();
      args.v = values.view();
      attention(args);
    };
  };
  const auto run = [&](const std::function<void(AttentionArgs)>& attention) {
    Problem::Result r{std::vector<char>(static_cast<size_t>(problem.T * problem.out_stride) * 4, 0x3C),
                      {},
                      {},
                      {},
                      std::vector<float>(static_cast<size_t>(c.heads * problem.T))};
    attention(problem.args(r));
    return r;
  };
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    const KernelTable& table = cpu_kernels(isa);
    const Problem::Result want = run(table.attention), got = run(paged(table.attention));
    EXPECT_EQ(want.out, got.out) << name_of(isa);
    EXPECT_EQ(std::memcmp(want.lse.data(), got.lse.data(), want.lse.size() * sizeof(float)), 0) << name_of(isa);
  }
  EXPECT_EQ(run(ref::attention).out, run(paged(ref::attention)).out);
}

// The same bytes and scales read by plain loops; and how far bytes are from the exact result.
TEST_P(AttentionCases, PagesOfBytes) {
  const Case& c = GetParam();
  if (c.cache != c.type) return;
  Problem problem(c);
  const Pages keys(problem, problem.k, DType::i8), values(problem, problem.v, DType::i8);
  const Problem::Result exact = problem.run(ref::attention, nullptr);
  const auto run = [&](void (*attention)(const AttentionArgs&)) {
    Problem::Result r{exact.out, {}, {}, {}, exact.lse};
    AttentionArgs args = problem.args(r);
    args.k = keys.view();
    args.v = values.view();
    attention(args);
    return r;
  };
  const Problem::Result want = run(ref::attention);
  // Values are off by up to 1/254 of the largest of a row, here about 3; scores by about sqrt(D) / 254 * scale * |q|.
  expect_near(want.out, exact.out, c.type, 0.05, c.name + " beside floats, out");
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    expect_near(run(cpu_kernels(isa).attention).out, want.out, c.type, c.type == DType::f32 ? 1e-5 : 1e-2,
                c.name + " on " + std::string(name_of(isa)) + ", out");
  }
}

TEST_P(AttentionCases, ThreadsDoNotChangeABit) {
  const Case& c = GetParam();
  Problem problem(c);
  const KernelTable& table = cpu_kernels(active_isa());
  const auto backward = has_backward(c) ? table.attention_backward : nullptr;
  const int before = thread_count();
  set_thread_count(1);
  const Problem::Result one = problem.run(table.attention, backward);
  for (const int threads : {2, 3}) {
    set_thread_count(threads);
    const Problem::Result more = problem.run(table.attention, backward);
    EXPECT_EQ(one.out, more.out);
    EXPECT_EQ(std::memcmp(one.lse.data(), more.lse.data(), one.lse.size() * sizeof(float)), 0);
    EXPECT_EQ(one.dq, more.dq);
    EXPECT_EQ(one.dk, more.dk);
    EXPECT_EQ(one.dv, more.dv);
  }
  set_thread_count(before);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionCases, testing::ValuesIn(cases()),
                         [](const auto& the_case) { return the_case.param.name; });

// A damaged query must not come out as an innocent mean of the values; its neighbours are none the worse.
TEST(Attention, NotANumberStaysOne) {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const Case& c : {Case{"many_rows", 2, 1, 16, {40}, {40}, true, 0, type, type},
                          Case{"few_rows", 2, 1, 16, {2}, {90}, false, 0, type, type}}) {
      Problem problem(c);
      for (int64_t i = 0; i < problem.q_stride; ++i) ref::set(problem.q.view(), i, std::nan(""));
      for (const Isa isa : kAllIsas) {
        if (!isa_supported(isa)) continue;
        const Problem::Result got = problem.run(cpu_kernels(isa).attention, nullptr);
        for (int64_t i = 0; i < problem.T * problem.out_stride; ++i) {
          const bool damaged = i < problem.out_stride;
          ASSERT_EQ(std::isnan(ref::get({const_cast<char*>(got.out.data()), type}, i)), damaged)
              << c.name << " " << name_of(isa) << " " << sensorium::name_of(type) << " " << i;
        }
      }
    }
  }
}

TEST(AttentionReference, GradientsEqualFiniteDifferences) {
  const Case c{"differences", 2, 1, 8, {4, 3}, {6, 3}, true};
  Problem problem(c);
  Problem::Result result = problem.run(ref::attention, ref::attention_backward);
  const auto loss = [&] {
    const Problem::Result r = problem.run(ref::attention, nullptr);
    double sum = 0;
    for (int64_t i = 0; i < problem.T * problem.out_stride; ++i) {
      sum += ref::get({r.out.data(), DType::f32}, i) * problem.dout.get(i);
    }
    return sum;
  };
  const auto check = [&](Values& input, const std::vector<char>& grad, int64_t count, const char* name) {
    for (int64_t i = 0; i < count; i += 5) {
      const double x = input.get(i), step = 1e-2;
      ref::set(input.view(), i, x + step);
      const double up = loss();
      ref::set(input.view(), i, x - step);
      const double down = loss();
      ref::set(input.view(), i, x);
      EXPECT_NEAR(ref::get({grad.data(), DType::f32}, i), (up - down) / (2 * step), 2e-3) << name << " " << i;
    }
  };
  check(problem.q, result.dq, problem.T * problem.q_stride, "dq");
  check(problem.k, result.dk, problem.S * problem.kv_stride, "dk");
  check(problem.v, result.dv, problem.S * problem.kv_stride, "dv");
}

}  // namespace
}  // namespace sensorium::kernels
