// Attention: forward, backward and decoding at the shapes of image encoders, decoder training and generation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "kernels/attention.h"
#include "kernels/isa.h"
#include "measure.h"

namespace sensorium::bench {
namespace {

struct Shape {
  const char* name;
  int64_t sequences, heads, kv_heads, queries, keys, head_dim;
  bool causal;
};

std::vector<char> random_rows(int64_t count, DType type) {
  Rng rng(1);
  std::vector<char> bytes(static_cast<size_t>(count) * size_of(type));
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(rng.normal());
    if (type == DType::f32) {
      reinterpret_cast<float*>(bytes.data())[i] = value;
    } else {
      reinterpret_cast<bf16*>(bytes.data())[i] = bf16(value);
    }
  }
  return bytes;
}

// Keys or values of a shape in pages [heads, kRows, head_dim], as a cache holds them.
class Pages {
 public:
  static constexpr int64_t kRows = 64;

  Pages(const Shape& s, const kernels::KernelTable& table, const std::vector<char>& rows, DType type, DType stored)
      : s_(s), stored_(stored), scales_(s.kv_heads * kRows * s.head_dim * static_cast<int64_t>(size_of(stored))) {
    const int64_t pages = (s.keys + kRows - 1) / kRows, page_bytes = scales_ + s.kv_heads * kRows * 4;
    memory_.resize(static_cast<size_t>(s.sequences * pages * page_bytes));
    for (int64_t i = 0; i < s.sequences; ++i) {
      first_.push_back(static_cast<int32_t>(i * pages));
      for (int64_t page = 0; page < pages; ++page) {
        char* at = memory_.data() + (i * pages + page) * page_bytes;
        pages_.push_back(at);
        const int64_t from = (i * s.keys + page * kRows) * s.kv_heads * s.head_dim;
        table.store_kv_rows({.rows = std::min(kRows, s.keys - page * kRows),
                             .heads = s.kv_heads,
                             .head_dim = s.head_dim,
                             .x = {rows.data() + from * static_cast<int64_t>(size_of(type)), type},
                             .x_row_stride = s.kv_heads * s.head_dim,
                             .page = {at, stored},
                             .scales = reinterpret_cast<float*>(at + scales_),
                             .page_rows = kRows});
      }
    }
  }
  kernels::HeadsView view() const {
    return {.dtype = stored_,
            .row_stride = s_.head_dim,
            .head_stride = kRows * s_.head_dim,
            .in = {.pages = pages_.data(), .first_page = first_.data(), .page_rows = kRows, .scale_offset = scales_}};
  }

 private:
  const Shape& s_;
  DType stored_;
  int64_t scales_;
  std::vector<char> memory_;
  std::vector<const void*> pages_;
  std::vector<int32_t> first_;
};

void run(const Shape& s, DType type) {
  const int64_t T = s.sequences * s.queries, S = s.sequences * s.keys, D = s.head_dim;
  auto q = random_rows(T * s.heads * D, type), k = random_rows(S * s.kv_heads * D, type), v = k, out = q, dout = q;
  auto dq = q, dk = k, dv = v;
  std::vector<float> lse(static_cast<size_t>(T * s.heads));
  std::vector<int32_t> queries, keys;
  for (int64_t i = 0; i <= s.sequences; ++i) {
    queries.push_back(static_cast<int32_t>(i * s.queries));
    keys.push_back(static_cast<int32_t>(i * s.keys));
  }
  kernels::AttentionArgs args;
  args.heads = s.heads;
  args.kv_heads = s.kv_heads;
  args.head_dim = D;
  args.q = {q.data(), type, s.heads * D, D};
  args.k = {k.data(), type, s.kv_heads * D, D};
  args.v = {v.data(), type, s.kv_heads * D, D};
  args.sequences = s.sequences;
  args.query_offsets = queries.data();
  args.key_offsets = keys.data();
  args.causal = s.causal;
  args.scale = 1.0f / std::sqrt(static_cast<float>(D));
  args.out = out.data();
  args.out_row_stride = s.heads * D;
  args.log_sum_exp = lse.data();
  // Causal: the pairs that are seen.
  const double pairs = s.causal ? static_cast<double>(s.queries) *
                                      (static_cast<double>(s.keys) - (static_cast<double>(s.queries) - 1) / 2)
                                : static_cast<double>(s.queries) * static_cast<double>(s.keys);
  const double flops = 4.0 * pairs * static_cast<double>(s.sequences * s.heads * D);
  const kernels::KernelTable& table = kernels::cpu_kernels(kernels::active_isa());
  std::vector<Candidate> candidates = {{"forward", flops, [&] { table.attention(args); }}};
  const Pages k_pages(s, table, k, type, type), v_pages(s, table, v, type, type);
  const Pages k_bytes(s, table, k, type, DType::i8), v_bytes(s, table, v, type, DType::i8);
  const auto in_pages = [&](const Pages& keys, const Pages& values) {
    kernels::AttentionArgs paged = args;
    paged.k = keys.view();
    paged.v = values.view();
    table.attention(paged);
  };
  if (s.causal) {  // what generation does
    table.attention(args);
    const std::vector<char> one_piece = out;
    in_pages(k_pages, v_pages);
    require(out == one_piece, ErrorKind::numeric, "{}: pages give other bits", s.name);
    candidates.push_back({"in pages", flops, [&] { in_pages(k_pages, v_pages); }});
    candidates.push_back({"in pages of i8", flops, [&] { in_pages(k_bytes, v_bytes); }});
  }
  if (s.queries > kernels::kFewQueries) {
    candidates.push_back({"backward", 2.5 * flops, [&] {
                            table.attention_backward({args, dout.data(), dq.data(), dk.data(), dv.data()});
                          }});
  }
  compare(fmt::format("{}: {} x {} heads ({} of keys) x {} x {} x {}{}", s.name, s.sequences, s.heads, s.kv_heads,
                      s.queries, s.keys, D, s.causal ? ", causal" : ""),
          type, candidates);
  if (s.queries == 1) {
    const double bytes = 2.0 * static_cast<double>(S * s.kv_heads * D) * static_cast<double>(size_of(type));
    std::vector<double> times;
    for (int i = 0; i < 20; ++i) times.push_back(seconds_of([&] { table.attention(args); }));
    fmt::print("  {:.1f} GB/s\n", bytes / summary(times).median * 1e-9);
  }
}

}  // namespace
}  // namespace sensorium::bench

int main(int count, char** words) {
  using sensorium::DType;
  const sensorium::bench::Shape shapes[] = {
      {"image encoder", 1, 16, 16, 577, 577, 64, false},
      {"decoder training", 16, 6, 6, 256, 256, 64, true},
      {"small", 16, 6, 2, 75, 75, 64, true},
      {"long prompt", 1, 32, 4, 2048, 2048, 64, true},
      {"head 128", 1, 8, 8, 1024, 1024, 128, true},
      {"decoding", 1, 32, 4, 1, 16384, 64, true},
      {"decoding 7B", 1, 32, 32, 1, 1024, 128, true},
      {"prompt 7B", 1, 32, 32, 512, 1024, 128, true},
      {"decoding, 8 at once", 8, 6, 2, 1, 2048, 64, true},
  };
  for (const auto& shape : shapes) {
    if (count > 1 && std::string(shape.name).find(words[1]) == std::string::npos) continue;
    sensorium::bench::run(shape, DType::bf16);
    if (count <= 2) sensorium::bench::run(shape, DType::f32);
  }
}
