// The instruction sets that the CPU kernels are compiled for, and the choice of one when the program runs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "kernels/table.h"

namespace sensorium::kernels {

// From narrow to wide. portable: what the compiler assumes of every machine; avx2: with FMA and F16C; avx512: F, BW, VL,
// DQ; avx512_bf16: with VNNI besides; avx512_amx: with tile registers for bf16 and bytes besides.
enum class Isa : uint8_t { portable, avx2, avx512, avx512_bf16, avx512_amx };
inline constexpr std::array kAllIsas = {Isa::portable, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::avx512_amx};
std::string_view name_of(Isa isa);

// Whether this build has kernels for the set and this processor runs them.
bool isa_supported(Isa isa);

// The set in use: the widest supported one, or the one that the environment's SENSORIUM_ISA names. Throws Error(usage) if
// that is no name of a supported set.
Isa active_isa();

// The kernels of one set, for tests and benches that compare them; throws Error(unsupported).
const KernelTable& cpu_kernels(Isa isa);

}  // namespace sensorium::kernels
