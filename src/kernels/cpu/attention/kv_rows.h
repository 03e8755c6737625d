// Where the key or value rows of one head of one sequence lie: in one piece, or in pages.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

// Rows count from 0 in their sequence.
struct KvRows {
  DType type;
  int64_t step;  // bytes between rows of one page

  KvRows(const HeadsView& view, int64_t sequence, int64_t first_row, int64_t head)
      : type(view.dtype), step(view.row_stride * static_cast<int64_t>(size_of(view.dtype))) {
    const int64_t at_head = head * view.head_stride * static_cast<int64_t>(size_of(view.dtype));
    if (view.in.pages == nullptr) {
      data_ = static_cast<const char*>(view.data) + first_row * step + at_head;
      return;
    }
    pages_ = view.in.pages + view.in.first_page[sequence];
    shift_ = std::countr_zero(static_cast<uint64_t>(view.in.page_rows));
    offset_ = view.in.offset + at_head;
    scale_offset_ = view.in.scale_offset + head * view.in.page_rows * static_cast<int64_t>(sizeof(float));
  }

  const char* row(int64_t s) const {
    if (pages_ == nullptr) return data_ + s * step;
    return static_cast<const char*>(pages_[s >> shift_]) + offset_ + inside(s) * step;
  }
  // i8 only; the scales of the rows that follow in the page stand behind it.
  const float* scale(int64_t s) const {
    return reinterpret_cast<const float*>(static_cast<const char*>(pages_[s >> shift_]) + scale_offset_) + inside(s);
  }
  // Of `count` rows from s, those that stand in one piece.
  int64_t together(int64_t s, int64_t count) const {
    if (pages_ == nullptr) return count;
    const int64_t rest = (int64_t{1} << shift_) - inside(s);
    return count < rest ? count : rest;
  }

 private:
  int64_t inside(int64_t s) const { return s & ((int64_t{1} << shift_) - 1); }

  const char* data_ = nullptr;
  const void* const* pages_ = nullptr;
  int shift_ = 0;
  int64_t offset_ = 0, scale_offset_ = 0;  // bytes from the start of a page
};

}  // namespace
SENSORIUM_ISA_END
