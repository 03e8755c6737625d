#include "kernels/isa.h"

#include <cstdlib>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sensorium::kernels {
namespace {

#if defined(__x86_64__)
// Tile registers are off until a process asks the kernel for them (Linux, Documentation/arch/x86/xstate.rst).
bool tiles_granted() {
  static const bool granted = [] {
    constexpr unsigned kTiles = 1u << 24, kBrain = 1u << 22, kBytes = 1u << 25;  // edx of leaf 7
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    if ((edx & kTiles) == 0 || (edx & kBrain) == 0 || (edx & kBytes) == 0) return false;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return granted;
}
#endif

bool processor_runs(Isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");  // all of these have F16C
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const bool brain = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx2:
      return avx2;
    case Isa::avx512:
      return avx512;
    case Isa::avx512_bf16:
      return brain;
    case Isa::avx512_amx:
      return brain && tiles_granted();
  }
  return false;
#else
  return isa == Isa::portable;
#endif
}

bool build_has(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx2:
    case Isa::avx512:
    case Isa::avx512_bf16:
    case Isa::avx512_amx:
#if defined(SENSORIUM_HAVE_avx2)
      return true;
#else
      return false;
#endif
  }
  return false;
}

Isa choose() {
  if (const char* wanted = std::getenv("SENSORIUM_ISA"); wanted != nullptr && *wanted != '\0') {
    std::vector<std::string> supported;
    for (const Isa isa : kAllIsas) {
      if (!isa_supported(isa)) continue;
      if (name_of(isa) == wanted) return isa;
      supported.emplace_back(name_of(isa));
    }
    fail(ErrorKind::usage, "SENSORIUM_ISA is '{}'; this machine has {}", wanted, fmt::join(supported, ", "));
  }
  Isa widest = Isa::portable;
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) widest = isa;
  }
  return widest;
}

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
    case Isa::avx512_amx:
      return "avx512_amx";
  }
  return "?";
}

bool isa_supported(Isa isa) { return build_has(isa) && processor_runs(isa); }

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace sensorium::kernels
