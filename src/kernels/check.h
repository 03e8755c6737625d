// Checks of what kernels index with. Compiled once, for every machine: files of one instruction set call them and must not
// hold error formatting of their own (see cpu/isa.h).
#pragma once

#include "kernels/rows.h"

namespace sensorium::kernels {

// Throws Error(shape) unless every index is in -1..other_rows-1.
void check_index(const char* operation, const GatherRowsArgs& args);
// Throws Error(shape) unless every target is in -1..classes-1.
void check_targets(const char* operation, const int32_t* targets, int64_t rows, int64_t classes);

}  // namespace sensorium::kernels
