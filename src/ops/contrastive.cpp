// Contrastive loss over pairs of vectors, and embedding in pieces so that its batch may be larger than what memory holds graphs of.
// Legend: N pairs, C numbers of a vector.
#include "ops/contrastive.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "ops/common.h"

namespace sensorium::ops {
namespace {

using namespace detail;

constexpr int64_t kBlock = 64;  // of rows or columns that one thread takes at once; it fixes the order of additions

// How many pairs have the group of each pair.
std::vector<float> group_sizes(const Tensor& groups_N, int64_t pairs) {
  std::vector<float> sizes(static_cast<size_t>(pairs), 1.0f);
  if (!groups_N.defined()) return sizes;
  require_shape(groups_N, {pairs}, "info_nce", "the groups");
  require_dtype(groups_N, DType::i32, "info_nce", "the groups");
  const int32_t* group = groups_N.data<int32_t>();
  for (int64_t i = 0; i < pairs; ++i) {
    sizes[static_cast<size_t>(i)] = static_cast<float>(std::count(group, group + pairs, group[i]));
  }
  return sizes;
}

// log sum exp of each line of a matrix: `count` lines whose elements are `step` apart and whose beginnings are `stride` apart.
std::vector<double> line_totals(const float* logits, int64_t count, int64_t stride, int64_t step) {
  std::vector<double> totals(static_cast<size_t>(count));
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* line = logits + i * stride;
      float high = line[0];
      for (int64_t j = 1; j < count; ++j) high = std::max(high, line[j * step]);
      double sum = 0;
      for (int64_t j = 0; j < count; ++j) sum += std::exp(line[j * step] - high);
      totals[static_cast<size_t>(i)] = high + std::log(sum);
    }
  });
  return totals;
}

}  // namespace

Tensor info_nce(const Tensor& a_NC, const Tensor& b_NC, const Tensor& log_scale, const Tensor& groups_N) {
  require_rank(a_NC, 2, "info_nce", "a");
  require_shape(b_NC, a_NC.shape(), "info_nce", "b");
  require_dtype(a_NC, DType::f32, "info_nce", "a");
  require_dtype(b_NC, DType::f32, "info_nce", "b");
  require_shape(log_scale, {1}, "info_nce", "the scale's logarithm");
  require_dtype(log_scale, DType::f32, "info_nce", "the scale's logarithm");
  require_cpu(a_NC, "info_nce");
  const int64_t pairs = a_NC.dim(0);
  require(pairs > 0, ErrorKind::shape, "info_nce: there are no pairs");
  const std::vector<float> sizes = group_sizes(groups_N, pairs);
  const bool capped = log_scale.item() > kMostLogScale;
  const float scale = std::exp(std::min(log_scale.item(), kMostLogScale));
  Tensor logits_NN;
  {
    const NoGrad no_grad;
    logits_NN = ops::scale(linear(a_NC, b_NC), scale);
  }
  float* logits = logits_NN.data<float>();
  const std::vector<double> rows = line_totals(logits, pairs, pairs, 1), columns = line_totals(logits, pairs, 1, pairs);
  const int32_t* group = groups_N.defined() ? groups_N.data<int32_t>() : nullptr;
  const auto partner = [&](int64_t i, int64_t j) { return group != nullptr ? group[i] == group[j] : i == j; };
  // The loss, and in place of the logits their gradient: (row's softmax + column's softmax - 2 target) / 2N.
  const bool recorded = will_record({a_NC, b_NC, log_scale});
  std::vector<double> losses(static_cast<size_t>(pairs)), slopes(static_cast<size_t>(pairs));
  parallel_for(pairs, kBlock, [&](int64_t begin, int64_t end, int) {
    const double share = 0.5 / static_cast<double>(pairs);
    for (int64_t i = begin; i < end; ++i) {
      float* row = logits + i * pairs;
      const double weight = 1.0 / sizes[static_cast<size_t>(i)];  // the same for both lines that meet in a partner
      double loss = 0, slope = 0;
      for (int64_t j = 0; j < pairs; ++j) {
        const double logit = row[j];
        const bool target = partner(i, j);
        const double by_row = rows[static_cast<size_t>(i)] - logit, by_column = columns[static_cast<size_t>(j)] - logit;
        if (target) loss += weight * (by_row + by_column);
        if (!recorded) continue;
        const double gradient = share * (std::exp(-by_row) + std::exp(-by_column) - (target ? 2 * weight : 0.0));
        slope += gradient * logit;
        row[j] = static_cast<float>(gradient);
      }
      losses[static_cast<size_t>(i)] = share * loss;
      slopes[static_cast<size_t>(i)] = slope;
    }
  });
  double loss = 0, slope = 0;
  for (const double part : losses) loss += part;
  for (const double part : slopes) slope += part;
  // Beyond the cap the scale only counts as far as it comes back.
  if (capped) slope = std::max(slope, 0.0);
  return record("info_nce", Tensor::full({1}, static_cast<float>(loss)), {a_NC, b_NC, log_scale},
                [=](const Tensor& dy) {
                  const float factor = dy.item();
                  // Of the products before the scale.
                  const Tensor d_NN = ops::scale(logits_NN, factor * scale);
                  std::vector<Tensor> grads(3);
                  if (a_NC.requires_grad()) {
                    const Tensor turned_NN = Tensor::empty(d_NN.shape());
                    for (int64_t i = 0; i < pairs; ++i) {
                      for (int64_t j = 0; j < pairs; ++j) {
                        turned_NN.data<float>()[j * pairs + i] = d_NN.data<float>()[i * pairs + j];
                      }
                    }
                    grads[0] = weight_grad(turned_NN.raw(), DType::f32, pairs, b_NC, a_NC, DType::f32);
                  }
                  if (b_NC.requires_grad())
                    grads[1] = weight_grad(d_NN.raw(), DType::f32, pairs, a_NC, b_NC, DType::f32);
                  if (log_scale.requires_grad()) grads[2] = Tensor::full({1}, static_cast<float>(slope) * factor);
                  return grads;
                });
}

Tensor in_pieces(int64_t rows, int64_t piece, const std::function<Tensor(int64_t begin, int64_t end)>& embed) {
  require(rows > 0 && piece > 0, ErrorKind::shape, "in_pieces: {} rows in pieces of {}", rows, piece);
  std::vector<Tensor> pieces;
  for (int64_t begin = 0; begin < rows; begin += piece) {
    const int64_t end = std::min(begin + piece, rows);
    pieces.push_back(checkpoint([embed, begin, end](const std::vector<Tensor>&) { return embed(begin, end); }, {}));
    require(pieces.back().rank() == 2 && pieces.back().dim(0) == end - begin, ErrorKind::shape,
            "in_pieces: rows {}..{} became {}", begin, end, pieces.back().shape());
  }
  return pieces.size() == 1 ? pieces.front() : concat_rows(pieces);
}

}  // namespace sensorium::ops
