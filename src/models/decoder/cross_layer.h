// Gated cross-attention layers, by which a decoder reads media beside its sequence instead of inside it (Flamingo, Alayrac 2022,
// section 2.2): a layer in front of a decoder block adds what the rows find in the media that stand before them. The gates start
// at zero: a new layer changes nothing until it has learned to.
//
// Legend: T rows of all sequences, S rows of all media, C channels, D heads * head size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nn/modules.h"

namespace sensorium::models {

// A medium that a sequence reads from its row `row` on: rows [begin, end) of the media's tensor.
struct MediumSpan {
  int64_t row = 0, begin = 0, end = 0;
};

// Which media rows each row of packed sequences reads.
struct CrossPlan {
  Tensor rows_Q = {};   // i32: the rows of x that read anything
  Tensor back_T = {};   // i32: where each row of x stands among these; -1: it reads nothing
  Tensor media_K = {};  // i32: the media rows that are read, once for every group of rows that reads them
  ops::Sequences queries = {}, media = {};

  bool empty() const { return queries.count() == 0; }
};
// `media[i]`: of sequence i, by rising row. `first[i]` is the sequence's row that its first row in x is (empty: 0): rows of a
// prompt's later part, or of an answer, read everything that stands before them.
CrossPlan plan_cross(const ops::Sequences& sequences, std::span<const int64_t> first,
                     std::span<const std::vector<MediumSpan>> media);

// Parameters: <name>.media_norm, <name>.norm1, <name>.attention (nn::CrossAttention), <name>.gate1 [dim], <name>.norm2, <name>.mlp,
// <name>.gate2 [dim].
class CrossLayer {
 public:
  CrossLayer(nn::ParameterStore& store, const std::string& name, int64_t dim, int64_t heads, int64_t head_dim,
             int64_t mlp_width, float out_scale, float norm_eps);

  // media [S, dim].
  nn::CrossAttention::Source read(const Tensor& media_SC) const { return attention_.read(media_norm_(media_SC)); }
  // x [T, dim] with what the rows of the plan find added; the other rows stay as they are.
  Tensor operator()(const Tensor& x_TC, const nn::CrossAttention::Source& media, const CrossPlan& plan) const;

 private:
  nn::RmsNorm media_norm_, norm1_, norm2_;
  nn::CrossAttention attention_;
  nn::SwigluMlp mlp_;
  Tensor gate1_, gate2_;
};

}  // namespace sensorium::models
