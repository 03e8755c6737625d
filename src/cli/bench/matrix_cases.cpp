#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "cli/bench/cases.h"
#include "kernels/table.h"
#include "ops/packed_weight.h"
#include "tensor/tensor.h"

namespace sensorium::cli {
namespace {

struct MatrixShape {
  int64_t m, n, k;
};
// Squares, a ViT's and a decoder's layers, a small batch and one token.
constexpr std::array<MatrixShape, 6> kShapes = {
    {{512, 2048, 2048}, {576, 4096, 1024}, {2048, 2048, 512}, {4096, 1536, 384}, {32, 4096, 4096}, {1, 4096, 4096}}};

// A product of one row is bound by reading the weights, which in a model come from memory, not from a cache: such cases go
// round copies of them that no cache holds together.
constexpr int64_t kBeyondCaches = int64_t{256} << 20;  // bytes

int64_t copies_of(const MatrixShape& s, DType dtype) {
  const int64_t bytes = s.n * s.k * static_cast<int64_t>(size_of(dtype));
  return s.m == 1 ? std::max<int64_t>(1, kBeyondCaches / bytes) : 1;
}

BenchCase float_case(const MatrixShape& s, DType dtype) {
  BenchCase result;
  result.name = fmt::format("gemm/{}/{}x{}x{}", name_of(dtype), s.m, s.n, s.k);
  result.operations = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  result.bytes = static_cast<double>(s.n * s.k) * static_cast<double>(size_of(dtype));
  result.peak = s.m == 1 ? Peak::read : dtype == DType::f32 ? Peak::f32 : Peak::bf16;
  result.prepare = [s, dtype] {
    Rng rng(1);
    const Tensor a = Tensor::randn({s.m, s.k}, rng, 1, dtype);
    std::vector<Tensor> weights = {Tensor::randn({s.n, s.k}, rng, 1, dtype)};
    for (int64_t i = 1; i < copies_of(s, dtype); ++i) weights.push_back(weights[0].clone());
    const Tensor c = Tensor::empty({s.m, s.n});
    auto packed =
        std::make_shared<kernels::PackedMatrix>(kernels::pack_rhs({weights[0].raw(), dtype, 1, s.k}, s.k, s.n, dtype));
    return [=, next = size_t{0}]() mutable {
      const Tensor& w = weights[next++ % weights.size()];
      kernels::GemmArgs args{.m = s.m,
                             .n = s.n,
                             .k = s.k,
                             .a = {a.raw(), dtype, s.k, 1},
                             .b = {w.raw(), dtype, 1, s.k},
                             .c = c.raw(),
                             .c_dtype = DType::f32,
                             .ldc = s.n,
                             .compute = dtype};
      // One row goes straight through the stored weights; more rows use the packed ones.
      if (s.m == 1) {
        kernels::gemm(args);
      } else {
        kernels::gemm_packed(args, *packed);
      }
    };
  };
  return result;
}

BenchCase int8_case(const MatrixShape& s) {
  BenchCase result;
  result.name = fmt::format("gemm/i8/{}x{}x{}", s.m, s.n, s.k);
  result.operations = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  result.bytes = static_cast<double>(s.n * s.k);
  result.peak = s.m == 1 ? Peak::read : Peak::int8;
  result.prepare = [s] {
    Rng rng(1);
    const Tensor a = Tensor::empty({s.m, s.k}, DType::u8), w = Tensor::empty({s.n, s.k}, DType::i8);
    for (uint8_t& value : a.span<uint8_t>()) value = static_cast<uint8_t>(rng.below(256));
    for (int8_t& value : w.span<int8_t>()) value = static_cast<int8_t>(rng.integer(-127, 127));
    const Tensor c = Tensor::empty({s.m, s.n}, DType::i32);
    auto packed = std::make_shared<std::vector<kernels::PackedMatrix>>();
    for (int64_t i = 0; i < copies_of(s, DType::i8); ++i)
      packed->push_back(kernels::pack_rhs_i8(w.data<int8_t>(), 1, s.k, s.k, s.n));
    return [=, next = size_t{0}]() mutable {
      kernels::gemm_u8i8i32(s.m, a.data<uint8_t>(), s.k, (*packed)[next++ % packed->size()], c.data<int32_t>(), s.n);
    };
  };
  return result;
}

// Products with packed weights of a model's file, activations in bf16 as a model has them; the rounding of activations counts.
BenchCase packed_case(const MatrixShape& s, const char* type) {
  kernels::PackedLayout layout = kernels::parse_packed_type(type);
  layout.n = s.n;
  layout.k = s.k;
  BenchCase result;
  result.name = fmt::format("gemm/packed-{}/{}x{}x{}", type, s.m, s.n, s.k);
  result.operations = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  result.bytes = static_cast<double>(layout.bytes());
  result.peak = s.m == 1 ? Peak::read : layout.type == kernels::PackedType::bf16 ? Peak::bf16 : Peak::int8;
  result.prepare = [s, layout] {
    Rng rng(1);
    const Tensor x = Tensor::randn({s.m, s.k}, rng, 1, DType::bf16);
    std::vector<ops::PackedWeight> weights = {ops::pack_weight(Tensor::randn({s.n, s.k}, rng), layout)};
    const int64_t copies = s.m == 1 ? std::max<int64_t>(1, kBeyondCaches / layout.bytes()) : 1;
    for (int64_t i = 1; i < copies; ++i) weights.push_back({layout, weights[0].bytes.clone()});
    return [=, next = size_t{0}]() mutable { ops::packed_linear(x, weights[next++ % weights.size()]); };
  };
  return result;
}

BenchCase attention_case(int64_t sequences, int64_t heads, int64_t tokens, int64_t head_dim, bool causal) {
  BenchCase result;
  result.name = fmt::format("attention/bf16/{}{}x{}x{}{}", sequences > 1 ? fmt::format("{}x", sequences) : "", heads,
                            tokens, head_dim, causal ? "/causal" : "");
  result.operations = 4.0 * static_cast<double>(sequences * heads * tokens * tokens * head_dim) * (causal ? 0.5 : 1.0);
  result.prepare = [=] {
    Rng rng(1);
    const int64_t width = heads * head_dim, rows = sequences * tokens;
    const Tensor qkv = Tensor::randn({rows, 3 * width}, rng, 1, DType::bf16);
    const Tensor out = Tensor::empty({rows, width}, DType::bf16);
    auto offsets = std::make_shared<std::vector<int32_t>>();
    for (int64_t i = 0; i <= sequences; ++i) offsets->push_back(static_cast<int32_t>(i * tokens));
    return [=] {
      const bf16* base = qkv.data<bf16>();
      const auto view = [&](int64_t part) {
        return kernels::HeadsView{base + part * width, DType::bf16, 3 * width, head_dim};
      };
      kernels::AttentionArgs args;
      args.heads = args.kv_heads = heads;
      args.head_dim = head_dim;
      args.q = view(0);
      args.k = view(1);
      args.v = view(2);
      args.sequences = sequences;
      args.query_offsets = args.key_offsets = offsets->data();
      args.causal = causal;
      args.scale = 0.125f;
      args.out = out.raw();
      args.out_row_stride = width;
      const kernels::KernelTable& table = kernels::kernel_table({});
      kernels::find_kernel(table.attention, table, "attention")(args);
    };
  };
  return result;
}

}  // namespace

std::vector<BenchCase> matrix_cases() {
  std::vector<BenchCase> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const MatrixShape& shape : kShapes) cases.push_back(float_case(shape, dtype));
  }
  for (const MatrixShape& shape : kShapes) cases.push_back(int8_case(shape));
  for (const char* type : {"bf16", "q8", "q4"}) {
    for (const MatrixShape& shape : kShapes) cases.push_back(packed_case(shape, type));
  }
  cases.push_back(attention_case(1, 16, 577, 64, false));
  cases.push_back(attention_case(16, 6, 256, 64, true));
  return cases;
}

}  // namespace sensorium::cli
