// Legend: R rows of the table, T rows of the result, C channels.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

Tensor gather_rows(const Tensor& table_RC, const Tensor& index_T, std::optional<DType> dtype) {
  require_activation(table_RC, "gather_rows", "the table");
  require_rank(table_RC, 2, "gather_rows", "the table");
  require_rank(index_T, 1, "gather_rows", "the index");
  require_dtype(index_T, DType::i32, "gather_rows", "the index");
  const int64_t table_rows = table_RC.dim(0), channels = table_RC.dim(1), rows = index_T.dim(0);
  for (const int32_t index : index_T.span<int32_t>()) {
    require(index >= -1 && index < table_rows, ErrorKind::shape, "gather_rows: index {} into {} rows", index,
            table_rows);
  }
  const DType result = dtype.value_or(table_RC.dtype());
  require(result == DType::f32 || result == DType::bf16, ErrorKind::shape, "gather_rows: the result cannot be {}",
          name_of(result));
  const Tensor y_TC = Tensor::empty({rows, channels}, result, table_RC.device());
  launch(&KernelTable::gather_rows, table_RC, "gather_rows",
         {.rows = rows,
          .cols = channels,
          .index = index_T.data<int32_t>(),
          .other_rows = table_rows,
          .x = view(table_RC),
          .y = view(y_TC)});
  return record("gather_rows", y_TC, {table_RC}, [table_RC, index_T, rows, channels](const Tensor& dy_TC) {
    const GradTarget table(table_RC);
    launch(&KernelTable::scatter_add_rows, table_RC, "gather_rows",
           {.rows = rows,
            .cols = channels,
            .index = index_T.data<int32_t>(),
            .other_rows = table_RC.dim(0),
            .x = view(dy_TC),
            .y = {table.data(), DType::f32}});
    return std::vector<Tensor>{table.result()};
  });
}

}  // namespace sensorium::ops
