// The kernel tables of this build: the reference, and one per instruction set of the CPU.
#include "kernels/isa.h"
#include "kernels/ref/ref.h"
#include "kernels/table.h"

namespace sensorium::kernels {

// Filled by cpu/table.cpp, which is compiled once per instruction set.
namespace cpu::portable {
extern const KernelTable kernel_table;
}
#if defined(SENSORIUM_HAVE_avx2)
namespace cpu::avx2 {
extern const KernelTable kernel_table;
}
namespace cpu::avx512 {
extern const KernelTable kernel_table;
}
namespace cpu::avx512_bf16 {
extern const KernelTable kernel_table;
}
namespace cpu::avx512_amx {
extern const KernelTable kernel_table;
}
#endif

namespace {

constexpr KernelTable kReference = {
    .device = "reference",
    .gemm = ref::gemm,
    .packed_linear = ref::packed_linear,
    .unpack_rows = ref::unpack_rows,
    .attention = ref::attention,
    .attention_backward = ref::attention_backward,
    .store_kv_rows = ref::store_kv_rows,
    .conv2d = ref::conv2d,
    .conv2d_backward_input = ref::conv2d_backward_input,
    .conv2d_backward_weight = ref::conv2d_backward_weight,
    .rms_norm = ref::rms_norm,
    .rms_norm_backward = ref::rms_norm_backward,
    .layer_norm = ref::layer_norm,
    .layer_norm_backward = ref::layer_norm_backward,
    .group_norm = ref::group_norm,
    .group_norm_backward = ref::group_norm_backward,
    .unary = ref::unary,
    .unary_backward = ref::unary_backward,
    .binary = ref::binary,
    .swiglu = ref::swiglu,
    .swiglu_backward = ref::swiglu_backward,
    .cast = ref::cast,
    .rope = ref::rope,
    .head_norm_rope = ref::head_norm_rope,
    .head_norm_rope_backward = ref::head_norm_rope_backward,
    .gather_rows = ref::gather_rows,
    .scatter_add_rows = ref::scatter_add_rows,
    .segment_mean = ref::segment_mean,
    .column_sum = ref::column_sum,
    .cross_entropy = ref::cross_entropy,
    .linear_cross_entropy = ref::linear_cross_entropy,
    .adamw = ref::adamw,
    .sum_of_squares = ref::sum_of_squares,
};

struct CpuEntry {
  Isa isa;
  const KernelTable* table;
};
constexpr CpuEntry kCpu[] = {
    {Isa::portable, &cpu::portable::kernel_table},
#if defined(SENSORIUM_HAVE_avx2)
    {Isa::avx2, &cpu::avx2::kernel_table},
    {Isa::avx512, &cpu::avx512::kernel_table},
    {Isa::avx512_bf16, &cpu::avx512_bf16::kernel_table},
    {Isa::avx512_amx, &cpu::avx512_amx::kernel_table},
#endif
};

}  // namespace

const KernelTable& reference_kernels() { return kReference; }

const KernelTable& cpu_kernels(Isa isa) {
  if (isa_supported(isa)) {
    for (const CpuEntry& entry : kCpu) {
      if (entry.isa == isa) return *entry.table;
    }
  }
  fail(ErrorKind::unsupported, "this build or processor has no {} kernels", name_of(isa));
}

const KernelTable& kernel_table(Device device) {
  require(device.kind == DeviceKind::cpu, ErrorKind::unsupported, "this build has no kernels for device {}",
          name_of(device));
  static const KernelTable& table = cpu_kernels(active_isa());
  return table;
}

}  // namespace sensorium::kernels
