// Fused attention: splits the work over the threads. The passes themselves are in attention/.
#include <cmath>

#include "kernels/cpu/attention/backward.h"
#include "kernels/cpu/attention/decode.h"
#include "kernels/cpu/attention/forward.h"
#include "kernels/cpu/cpu.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kDecodeKeys = 512;  // of one task
// Where sequences and heads are too few for the threads, query rows are split too; each task packs the keys again.
constexpr int64_t kSplitTasks = 16, kSplitRows = 192;

#if defined(__AVX512BF16__)
using Bf16Products = Bf16;
#else
using Bf16Products = F32;  // exact products of the bf16 values
#endif

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

struct Longest {
  int64_t queries = 0, keys = 0;
  explicit Longest(const AttentionArgs& args) {
    for (int64_t i = 0; i < args.sequences; ++i) {
      queries = most(queries, args.query_offsets[i + 1] - args.query_offsets[i]);
      keys = most(keys, args.key_offsets[i + 1] - args.key_offsets[i]);
    }
  }
};

template <class Simd>
void forward(const AttentionArgs& args, const Longest& longest) {
  const int64_t pairs = args.sequences * args.kv_heads;
  const int64_t parts = pairs >= kSplitTasks ? 1 : ceil_divide(longest.queries, kSplitRows);
  const int64_t part_rows = ceil_divide(longest.queries, parts * Tiles<Simd>::kRowBlock) * Tiles<Simd>::kRowBlock;
  parallel_for(pairs * parts, 1, [&](int64_t begin, int64_t end, int) {
    [[maybe_unused]] const TileRegisterScope scope;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pair = task / parts, sequence = pair / args.kv_heads;
      const int64_t rows = args.query_offsets[sequence + 1] - args.query_offsets[sequence];
      const int64_t first = task % parts * part_rows;
      const int64_t last = first + part_rows < rows ? first + part_rows : rows;
      if (first < last) AttentionForward<Simd>::run(args, sequence, pair % args.kv_heads, first, last);
    }
  });
}

// Partial results over blocks of keys, then their combination in the order of the blocks.
void decode(const AttentionArgs& args, const Longest& longest) {
  const int64_t D = args.head_dim, group = args.heads / args.kv_heads, pairs = args.sequences * args.kv_heads;
  const int64_t parts = most(1, ceil_divide(longest.keys, kDecodeKeys));
  const int64_t record = decode_record(D), rows = group * longest.queries, part_size = rows * record;
  auto* records =
      static_cast<float*>(thread_scratch(static_cast<size_t>(pairs * parts * part_size) * sizeof(float), 6));
  const auto keys_of = [&](int64_t sequence) { return args.key_offsets[sequence + 1] - args.key_offsets[sequence]; };
  parallel_for(pairs * parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pair = task / parts, sequence = pair / args.kv_heads, keys = keys_of(sequence);
      const int64_t first = task % parts * kDecodeKeys;
      const int64_t last = first + kDecodeKeys < keys ? first + kDecodeKeys : keys;
      if (first >= last || args.query_offsets[sequence + 1] == args.query_offsets[sequence]) continue;
      AttentionDecode::run(args, sequence, pair % args.kv_heads, first, last, records + task * part_size);
    }
  });
  const int64_t total_rows = args.query_offsets[args.sequences];
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const int64_t sequence = pair / args.kv_heads, first_row = args.query_offsets[sequence];
    const int64_t queries = args.query_offsets[sequence + 1] - first_row,
                  used = ceil_divide(keys_of(sequence), kDecodeKeys);
    for (int64_t r = 0; r < group * queries; ++r) {
      const int64_t head = pair % args.kv_heads * group + r / queries, row = first_row + r % queries;
      const float* part = records + pair * parts * part_size + r * record;
      float largest = kMasked, total = 0.0f, sums[256] = {};
      for (int64_t p = 0; p < used; ++p) largest = std::fmax(largest, part[p * part_size]);
      for (int64_t p = 0; p < used; ++p) {
        const float* from = part + p * part_size;
        const float factor = std::exp2(from[0] - largest);
        total += factor * from[1];
        for (int64_t d = 0; d < D; ++d) sums[d] += factor * from[4 + d];
      }
      Tiles<F32>::write_row(sums, total > 0.0f ? 1.0f / total : 0.0f, D, args.out, row * args.out_row_stride + head * D,
                            args.q.dtype);
      if (args.log_sum_exp != nullptr) args.log_sum_exp[head * total_rows + row] = largest * kLn2 + std::log(total);
    }
  }
}

template <class Simd>
void backward(const AttentionBackwardArgs& args) {
  const int64_t kv_heads = args.forward.kv_heads;
  parallel_for(args.forward.sequences * kv_heads, 1, [&](int64_t begin, int64_t end, int) {
    [[maybe_unused]] const TileRegisterScope scope;
    for (int64_t task = begin; task < end; ++task) AttentionBackward<Simd>::run(args, task / kv_heads, task % kv_heads);
  });
}

}  // namespace

void attention(const AttentionArgs& args) {
  const Longest longest(args);
  if (longest.queries == 0) return;
  if (longest.queries <= kFewQueries) {
    decode(args, longest);
  } else if (args.q.dtype == DType::bf16) {
    forward<Bf16Products>(args, longest);
  } else {
    forward<F32>(args, longest);
  }
}

void attention_backward(const AttentionBackwardArgs& args) {
  if (args.forward.q.dtype == DType::bf16) {
    backward<Bf16Products>(args);
  } else {
    backward<F32>(args);
  }
}

SENSORIUM_ISA_END
