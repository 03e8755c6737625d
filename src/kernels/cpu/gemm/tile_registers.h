// The micro-kernel on AMX: eight registers of 16 rows x 64 bytes. A tile of C of 32 x 32 takes four of them; two hold 16 rows of
// A each, two 16 groups of 16 columns of B each. Both operands are read as the other micro-kernels read them: a row of a
// register is 16 words, of a row of A or of a group of a panel. (Intel Optimization Reference Manual, chapter 20.)
#pragma once

#include "kernels/cpu/gemm/micro.h"

SENSORIUM_ISA_BEGIN
namespace {

#if defined(__AMX_TILE__)
constexpr int64_t kRegisterRows = 16;

// GCC 12 does not know that tile loads read memory: what they read must be written before.
inline void finish_writes(const void* local = nullptr) { asm volatile("" : : "r"(local) : "memory"); }

// Shapes the calling thread's registers for tiles of `rows` rows, and gives them back at the end: other code of the process may
// use them too. Registers 0..3 are of C (2 and 3: its lower rows if there are more than 16), 4 and 5 of A, 6 and 7 of B.
class TileRegisters {
 public:
  TileRegisters() = default;
  ~TileRegisters() { release(); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;

  void release() {
    if (rows_ != 0) _tile_release();
    rows_ = 0;
  }
  void shape(int64_t rows) {
    if (rows == rows_) return;
    rows_ = rows;
    Configuration configuration;
    const auto upper = static_cast<uint8_t>(std::min(rows, kRegisterRows));
    const auto lower = rows > kRegisterRows ? static_cast<uint8_t>(rows - kRegisterRows) : upper;
    configuration.rows[0] = configuration.rows[1] = configuration.rows[4] = upper;
    configuration.rows[2] = configuration.rows[3] = configuration.rows[5] = lower;
    configuration.rows[6] = configuration.rows[7] = kRegisterRows;
    finish_writes(&configuration);
    _tile_loadconfig(&configuration);
  }

 private:
  struct alignas(64) Configuration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {};
  };
  int64_t rows_ = 0;
};

// Registers are named by constants in the instructions.
#define SENSORIUM_TILE_PRODUCT(c, a, b)                     \
  do {                                                      \
    if constexpr (std::is_same_v<Products, ByteProducts>) { \
      _tile_dpbusd(c, a, b);                                \
    } else {                                                \
      _tile_dpbf16ps(c, a, b);                              \
    }                                                       \
  } while (false)

// Columns 0..31 (kWide) or 0..15 of `sums`, the rows that the registers are shaped for; kTall: more than 16.
template <typename Products, bool kTall, bool kWide>
inline void multiply_registers(const TileRows& rows, const uint32_t* panel, int64_t groups, const char* prefetch,
                               bool go_on, typename Products::Sum* sums) {
  constexpr int64_t kRowBytes = kColumns * 4, kStep = kGroupStep<Products>;
  const char* a = rows.data;
  const int64_t a_bytes = rows.row_bytes;
  auto* lower = sums + kRegisterRows * kColumns;
  if (go_on) {
    _tile_loadd(0, sums, kRowBytes);
    if constexpr (kWide) _tile_loadd(1, sums + 16, kRowBytes);
    if constexpr (kTall) _tile_loadd(2, lower, kRowBytes);
    if constexpr (kTall && kWide) _tile_loadd(3, lower + 16, kRowBytes);
  } else {
    _tile_zero(0);
    if constexpr (kWide) _tile_zero(1);
    if constexpr (kTall) _tile_zero(2);
    if constexpr (kTall && kWide) _tile_zero(3);
  }
  for (int64_t g = 0; g < groups; g += kStep, a += kStep * 4, panel += kStep * kColumns) {
    if (prefetch != nullptr) {
#pragma GCC unroll 16
      for (int line = 0; line < kStep; ++line) __builtin_prefetch(prefetch + 64 * (g + line), 0, 2);
    }
    _tile_loadd(6, panel, kRowBytes);
    _tile_loadd(4, a, a_bytes);
    SENSORIUM_TILE_PRODUCT(0, 4, 6);
    if constexpr (kWide) {
      _tile_loadd(7, panel + 16, kRowBytes);
      SENSORIUM_TILE_PRODUCT(1, 4, 7);
    }
    if constexpr (kTall) {
      _tile_loadd(5, a + kRegisterRows * a_bytes, a_bytes);
      SENSORIUM_TILE_PRODUCT(2, 5, 6);
      if constexpr (kWide) SENSORIUM_TILE_PRODUCT(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kRowBytes);
  if constexpr (kWide) _tile_stored(1, sums + 16, kRowBytes);
  if constexpr (kTall) _tile_stored(2, lower, kRowBytes);
  if constexpr (kTall && kWide) _tile_stored(3, lower + 16, kRowBytes);
}
#undef SENSORIUM_TILE_PRODUCT

// As a MicroKernel, for up to 32 rows and the first `columns` of the panel; what `sums` hold of other columns is undefined.
template <typename Products>
inline void multiply_tile_registers(TileRegisters& registers, const TileRows& a, int64_t rows, int64_t columns,
                                    const uint32_t* panel, int64_t groups, const char* prefetch, bool go_on,
                                    typename Products::Sum* sums) {
  registers.shape(rows);
  finish_writes();
  for (int64_t column = 0; column < columns; column += 32, panel += 32, sums += 32) {
    const bool wide = columns - column > 16;
    const auto multiply =
        rows > kRegisterRows
            ? (wide ? multiply_registers<Products, true, true> : multiply_registers<Products, true, false>)
            : (wide ? multiply_registers<Products, false, true> : multiply_registers<Products, false, false>);
    multiply(a, panel, groups, prefetch, go_on, sums);
    if (prefetch != nullptr) prefetch += 64 * groups;
  }
}
#else
class TileRegisters {};
#endif

}  // namespace
SENSORIUM_ISA_END
