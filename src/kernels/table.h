// The kernels of one device, as a table of functions: operations (layer `ops`) find their kernel here and nowhere else,
// so that a device is one more folder and one more line in registry.cpp. A null entry means the device lacks the kernel.
#pragma once

#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/kv_rows.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/packed.h"
#include "kernels/rope.h"
#include "kernels/rows.h"
#include "tensor/tensor.h"

namespace sensorium::kernels {

struct KernelTable {
  const char* device = "";
  void (*gemm)(const GemmArgs&) = nullptr;
  void (*packed_linear)(const PackedLinearArgs&) = nullptr;
  void (*unpack_rows)(const UnpackRowsArgs&) = nullptr;
  void (*attention)(const AttentionArgs&) = nullptr;
  void (*attention_backward)(const AttentionBackwardArgs&) = nullptr;
  void (*store_kv_rows)(const StoreKvRowsArgs&) = nullptr;
  void (*conv2d)(const Conv2dArgs&) = nullptr;
  void (*conv2d_backward_input)(const Conv2dArgs&) = nullptr;
  void (*conv2d_backward_weight)(const Conv2dArgs&) = nullptr;
  void (*rms_norm)(const RowNormArgs&) = nullptr;
  void (*rms_norm_backward)(const RowNormBackwardArgs&) = nullptr;
  void (*layer_norm)(const RowNormArgs&) = nullptr;
  void (*layer_norm_backward)(const RowNormBackwardArgs&) = nullptr;
  void (*group_norm)(const GroupNormArgs&) = nullptr;
  void (*group_norm_backward)(const GroupNormBackwardArgs&) = nullptr;
  void (*unary)(const UnaryArgs&) = nullptr;
  void (*unary_backward)(const UnaryBackwardArgs&) = nullptr;
  void (*binary)(const BinaryArgs&) = nullptr;
  void (*swiglu)(const SwigluArgs&) = nullptr;
  void (*swiglu_backward)(const SwigluBackwardArgs&) = nullptr;
  void (*cast)(const CastArgs&) = nullptr;
  void (*rope)(const RopeArgs&) = nullptr;
  void (*head_norm_rope)(const HeadNormRopeArgs&) = nullptr;
  void (*head_norm_rope_backward)(const HeadNormRopeBackwardArgs&) = nullptr;
  void (*gather_rows)(const GatherRowsArgs&) = nullptr;
  void (*scatter_add_rows)(const GatherRowsArgs&) = nullptr;
  void (*segment_mean)(const SegmentMeanArgs&) = nullptr;
  void (*column_sum)(const ColumnSumArgs&) = nullptr;
  void (*cross_entropy)(const CrossEntropyArgs&) = nullptr;
  void (*linear_cross_entropy)(const LinearCrossEntropyArgs&) = nullptr;
  void (*adamw)(const AdamWArgs&) = nullptr;
  double (*sum_of_squares)(const float* values, int64_t count) = nullptr;
};

// The table of a device; throws Error(unsupported) if this build has none for it.
const KernelTable& kernel_table(Device device);
// Plain loops in f64/f32 sums: the oracle of tests, and the fallback of every device on the CPU.
const KernelTable& reference_kernels();

// table.entry, or Error(unsupported) that names operation and device.
template <typename Fn>
Fn* find_kernel(Fn* entry, const KernelTable& table, const char* operation) {
  require(entry != nullptr, ErrorKind::unsupported, "operation {} has no kernel on device {}", operation, table.device);
  return entry;
}

}  // namespace sensorium::kernels
