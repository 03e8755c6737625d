// Attention: forward, backward and decoding at the shapes of image encoders, decoder training and generation.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

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
  if (s.queries > 4) {
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
      {"decoding, 8 at once", 8, 6, 2, 1, 2048, 64, true},
  };
  for (const auto& shape : shapes) {
    if (count > 1 && std::string(shape.name).find(words[1]) == std::string::npos) continue;
    sensorium::bench::run(shape, DType::bf16);
    if (count <= 2) sensorium::bench::run(shape, DType::f32);
  }
}
