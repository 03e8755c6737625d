// Vectors for attention, in two kinds with one interface: F32 multiplies f32 values, Bf16 multiplies pairs of bf16 into f32
// sums (vdpbf16ps). An "element" is what products read, a "unit" the elements that one multiply-add consumes along k.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cpu/isa.h"

#if defined(__clang__)
#define SENSORIUM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SENSORIUM_UNROLL _Pragma("GCC unroll 16")
#endif
#define SENSORIUM_INLINE inline __attribute__((always_inline))
#define SENSORIUM_INLINE_LAMBDA __attribute__((always_inline))

SENSORIUM_ISA_BEGIN
namespace {

// 2^f on [0, 1) as 1 + f * (a polynomial): minimax of the relative error, 8e-8 (degree 5) and 3e-6 (degree 4).
constexpr float kExp2Degree5[] = {6.931513118e-1f, 2.401644502e-1f, 5.579991312e-2f, 9.017030311e-3f, 1.867130074e-3f};
constexpr float kExp2Degree4[] = {6.930448449e-1f, 2.412802048e-1f, 5.224247414e-2f, 1.342668431e-2f};

#if defined(__AVX512F__)
constexpr int kF32Lanes = 16, kF32TileVectors = 4;
#elif defined(__AVX2__)
constexpr int kF32Lanes = 8, kF32TileVectors = 2;
#else
constexpr int kF32Lanes = 4, kF32TileVectors = 2;
#endif

inline float load(const int8_t* p, int64_t i) { return p[i]; }

template <typename T>
inline void widen_row(const T* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = load(from, i);
}
inline void widen_row(const void* from, DType type, int64_t count, float* to) {
  switch (type) {
    case DType::f32:
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::bf16:
      return widen_row(static_cast<const Brain*>(from), count, to);
    case DType::i8:
      return widen_row(static_cast<const int8_t*>(from), count, to);
    default:
      return widen_row(static_cast<const Half*>(from), count, to);
  }
}

template <typename T>
inline float row_dot(const T* a, const T* b, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += load(a, i) * load(b, i);
  return sum;
}
inline float row_dot(const void* a, const void* b, DType type, int64_t count) {
  float sum = 0;
  with_type(type, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    sum = row_dot(static_cast<const T*>(a), static_cast<const T*>(b), count);
  });
  return sum;
}

// GCC's and Clang's vector extensions: one source for every width.
struct F32 {
  static constexpr DType kType = DType::f32;
  static constexpr bool kInTileRegisters = false;
  static constexpr int kLanes = kF32Lanes, kUnit = 1, kRows = 6, kVectors = kF32TileVectors;
  using Elem = float;
  typedef float Vec __attribute__((vector_size(kLanes * 4)));
  typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
  typedef float Unaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
  using Units = Vec;

  static SENSORIUM_INLINE Vec zero() { return Vec{}; }
  static SENSORIUM_INLINE Vec set1(float x) { return x - Vec{}; }
  static SENSORIUM_INLINE Vec load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static SENSORIUM_INLINE void store(float* p, Vec v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static SENSORIUM_INLINE Vec add(Vec a, Vec b) { return a + b; }
  static SENSORIUM_INLINE Vec subtract(Vec a, Vec b) { return a - b; }
  static SENSORIUM_INLINE Vec multiply(Vec a, Vec b) { return a * b; }
  static SENSORIUM_INLINE Vec multiply_add_f32(Vec a, Vec b, Vec c) { return a * b + c; }
  static SENSORIUM_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
  static SENSORIUM_INLINE Units load_units(const Elem* p) { return load(p); }
  static SENSORIUM_INLINE Units broadcast_unit(const Elem* p) { return set1(*p); }
  static SENSORIUM_INLINE Vec multiply_add(Vec c, Units a, Units b) { return a * b + c; }
  static SENSORIUM_INLINE void store_elements(Elem* p, Vec low, Vec high) {
    store(p, low);
    store(p + kLanes, high);
  }
  static SENSORIUM_INLINE void store_pairs(Elem* p, Vec row, Vec) { store(p, row); }
  static SENSORIUM_INLINE float reduce_max(Vec v) {
    float high = v[0];
    for (int i = 1; i < kLanes; ++i) high = v[i] > high ? v[i] : high;
    return high;
  }
  static SENSORIUM_INLINE float reduce_add(Vec v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
  }
  // Lane i = the sum of the lanes of v[i], for kLanes vectors; v is used up.
  static SENSORIUM_INLINE Vec reduce_each(Vec (&v)[kLanes]) {
    if constexpr (kLanes == 16) reduce_level<8>(v);
    if constexpr (kLanes >= 8) reduce_level<4>(v);
    reduce_level<2>(v);
    reduce_level<1>(v);
    return v[0];
  }
  // Vectors i and i + kHalf become one, whose blocks of kHalf lanes are partial sums of either in turn.
  template <int kHalf>
  static SENSORIUM_INLINE void reduce_level(Vec (&v)[kLanes]) {
    SENSORIUM_UNROLL
    for (int i = 0; i < kHalf; ++i)
      v[i] = add_halves<kHalf>(v[i], v[i + kHalf], std::make_integer_sequence<int, kLanes>());
  }
  template <int kHalf, int... kLane>
  static SENSORIUM_INLINE Vec add_halves(Vec a, Vec b, std::integer_sequence<int, kLane...>) {
    // Lane l comes from block l / (2 * kHalf), of a if the next bit of l is 0, else of b.
    return __builtin_shufflevector(
               a, b, (kLane / (2 * kHalf) * 2 * kHalf + kLane % kHalf + (kLane / kHalf % 2) * kLanes)...) +
           __builtin_shufflevector(
               a, b, (kLane / (2 * kHalf) * 2 * kHalf + kHalf + kLane % kHalf + (kLane / kHalf % 2) * kLanes)...);
  }
  // Lanes 0..count-1 of v, zeros after them.
  static SENSORIUM_INLINE Vec keep_first(Vec v, int64_t count) {
    const int32_t limit = count < 0 ? 0 : count > kLanes ? kLanes : static_cast<int32_t>(count);
    Ints lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = i;
    return lane < limit - Ints{} ? v : Vec{};
  }
  // 2^x for x <= 127, 0 below -126, NaN of NaN.
  static SENSORIUM_INLINE Vec exp2(Vec x) {
    const Vec clamped = max(x, set1(-126.0f));
    Ints whole = __builtin_convertvector(clamped, Ints);     // towards zero
    whole += clamped < __builtin_convertvector(whole, Vec);  // a true comparison is -1
    const Vec f = clamped - __builtin_convertvector(whole, Vec);
    Vec p = f * kExp2Degree5[4] + kExp2Degree5[3];
    for (int i = 2; i >= 0; --i) p = p * f + kExp2Degree5[i];
    p = p * f + 1.0f;
    const Vec result = p * reinterpret_cast<Vec>((whole + 127) << 23);
    const Vec number = x < set1(-126.0f) ? Vec{} : result;
    return x == x ? number : x;
  }
  static void convert(const void* from, DType type, int64_t count, Elem* to) { widen_row(from, type, count, to); }
  // to[u * stride + r] = unit u of row r, for r < kLanes; zero where r >= rows.
  static void transpose_units(const Elem* from, int64_t row_stride, int64_t rows, int64_t units, Elem* to,
                              int64_t stride);
  // A row of k (and the next, for kinds with pairs), `count` columns of at most kLanes, the others zero.
  static SENSORIUM_INLINE void interleave_rows(const Elem* row, const Elem*, int64_t count, Elem* to) {
    if (count >= kLanes) {
      store(to, load(row));
      return;
    }
    store(to, zero());
    std::memcpy(to, row, static_cast<size_t>(count) * sizeof(Elem));
  }
};

#if defined(__AVX512F__)
// A 16 x 16 transposition of 32-bit words; rows beyond `rows` and words beyond `words` count as zero.
inline void transpose_words(const char* from, int64_t row_bytes, int64_t rows, int64_t words, char* to,
                            int64_t to_bytes) {
  for (int64_t w = 0; w < words; w += 16) {
    const __mmask16 mask = words - w >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << (words - w)) - 1);
    __m512i a[16], b[16];
    SENSORIUM_UNROLL
    for (int i = 0; i < 16; ++i) {
      a[i] = i < rows ? _mm512_maskz_loadu_epi32(mask, from + i * row_bytes + w * 4) : _mm512_setzero_si512();
    }
    SENSORIUM_UNROLL
    for (int i = 0; i < 16; i += 2) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    SENSORIUM_UNROLL
    for (int i = 0; i < 16; i += 4) {
      a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
      a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
      a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
      a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    // a[4q + j] holds, in its 128-bit lane l, word 4l + j of rows 4q..4q+3.
    SENSORIUM_UNROLL
    for (int j = 0; j < 4; ++j) {
      const __m512i low01 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x44),
                    high01 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xEE);
      const __m512i low23 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x44);
      const __m512i high23 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xEE);
      b[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
      b[4 + j] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
      b[8 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
      b[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
    }
    SENSORIUM_UNROLL
    for (int i = 0; i < 16; ++i) {
      if (w + i < words) _mm512_storeu_si512(to + (w + i) * to_bytes, b[i]);
    }
  }
}
#endif

inline void F32::transpose_units(const Elem* from, int64_t row_stride, int64_t rows, int64_t units, Elem* to,
                                 int64_t stride) {
#if defined(__AVX512F__)
  transpose_words(reinterpret_cast<const char*>(from), row_stride * 4, rows, units, reinterpret_cast<char*>(to),
                  stride * 4);
#else
  for (int64_t r = 0; r < kLanes; ++r) {
    for (int64_t u = 0; u < units; ++u) to[u * stride + r] = r < rows ? from[r * row_stride + u] : 0.0f;
  }
#endif
}

#if defined(__AVX512BF16__)
struct Bf16 {
  static constexpr DType kType = DType::bf16;
#if defined(__AMX_TILE__)
  static constexpr bool kInTileRegisters = true;
  static constexpr int kRows = 16;
#else
  static constexpr bool kInTileRegisters = false;
  static constexpr int kRows = 6;
#endif
  static constexpr int kLanes = 16, kUnit = 2, kVectors = 4;
  using Elem = uint16_t;
  using Vec = __m512;
  using Units = __m512bh;

  static SENSORIUM_INLINE Vec zero() { return _mm512_setzero_ps(); }
  static SENSORIUM_INLINE Vec set1(float x) { return _mm512_set1_ps(x); }
  static SENSORIUM_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static SENSORIUM_INLINE void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
  static SENSORIUM_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
  static SENSORIUM_INLINE Vec subtract(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
  static SENSORIUM_INLINE Vec multiply(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
  static SENSORIUM_INLINE Vec multiply_add_f32(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
  static SENSORIUM_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
  static SENSORIUM_INLINE float reduce_max(Vec v) { return _mm512_reduce_max_ps(v); }
  static SENSORIUM_INLINE float reduce_add(Vec v) { return _mm512_reduce_add_ps(v); }
  static SENSORIUM_INLINE Units load_units(const Elem* p) { return (__m512bh)_mm512_loadu_si512(p); }
  static SENSORIUM_INLINE Units broadcast_unit(const Elem* p) {
    int32_t pair;
    std::memcpy(&pair, p, sizeof(pair));
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static SENSORIUM_INLINE Vec multiply_add(Vec c, Units a, Units b) { return _mm512_dpbf16_ps(c, a, b); }
  static SENSORIUM_INLINE void store_elements(Elem* p, Vec low, Vec high) {
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  // Pair i holds lane i of both rows.
  static SENSORIUM_INLINE void store_pairs(Elem* p, Vec row0, Vec row1) {
    const __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(row0));
    const __m512i odd = _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(row1)), 16);
    _mm512_storeu_si512(p, _mm512_or_si512(even, odd));
  }
  static SENSORIUM_INLINE Vec keep_first(Vec v, int64_t count) {
    const __mmask16 mask = count >= 16 ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
    return _mm512_maskz_mov_ps(mask, v);
  }
  // 2^x; weights are rounded to bf16 next, so degree 4 is enough.
  static SENSORIUM_INLINE Vec exp2(Vec x) {
    const Vec f = _mm512_reduce_ps(x, 0x09);  // x - floor(x)
    Vec p = _mm512_fmadd_ps(f, _mm512_set1_ps(kExp2Degree4[3]), _mm512_set1_ps(kExp2Degree4[2]));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2Degree4[1]));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2Degree4[0]));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, x);  // p * 2^floor(x)
  }
  static void convert(const void* from, DType type, int64_t count, Elem* to) {
    if (type == DType::bf16) {
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(Elem));
      return;
    }
    float row[256];
    widen_row(from, type, count, row);
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Elem>(round_to_brain(row[i]));
  }
  static void transpose_units(const Elem* from, int64_t row_stride, int64_t rows, int64_t units, Elem* to,
                              int64_t stride) {
    transpose_words(reinterpret_cast<const char*>(from), row_stride * 2, rows, units, reinterpret_cast<char*>(to),
                    stride * 2);
  }
  static SENSORIUM_INLINE void interleave_rows(const Elem* row0, const Elem* row1, int64_t count, Elem* to) {
    const __mmask16 mask = count >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << count) - 1);
    const __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row0));
    const __m512i odd =
        row1 == nullptr ? _mm512_setzero_si512() : _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row1));
    _mm512_storeu_si512(to, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
  }
};
#endif

}  // namespace
SENSORIUM_ISA_END
