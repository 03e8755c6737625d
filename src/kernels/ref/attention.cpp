#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

struct Sequence {
  int64_t index, first_query, queries, first_key, keys;
};
Sequence sequence_of(const AttentionArgs& a, int64_t i) {
  return {i, a.query_offsets[i], a.query_offsets[i + 1] - a.query_offsets[i], a.key_offsets[i],
          a.key_offsets[i + 1] - a.key_offsets[i]};
}

double element(const HeadsView& view, int64_t row, int64_t head, int64_t d) {
  return get({view.data, view.dtype}, row * view.row_stride + head * view.head_stride + d);
}

// Element d of a head's key or value row, which counts from 0 in its sequence.
double kv_element(const HeadsView& view, const Sequence& s, int64_t row, int64_t head, int64_t d) {
  const KvPages& in = view.in;
  if (in.pages == nullptr) return element(view, s.first_key + row, head, d);
  const auto* page = static_cast<const std::byte*>(in.pages[in.first_page[s.index] + row / in.page_rows]);
  const int64_t inside = row % in.page_rows, at = inside * view.row_stride + head * view.head_stride + d;
  if (view.dtype != DType::i8) return get({page + in.offset, view.dtype}, at);
  const auto* scales = reinterpret_cast<const float*>(page + in.scale_offset);
  return static_cast<double>(reinterpret_cast<const int8_t*>(page + in.offset)[at]) *
         static_cast<double>(scales[head * in.page_rows + inside]);
}

int64_t visible_keys(const AttentionArgs& a, const Sequence& s, int64_t query) {
  return a.causal ? std::clamp<int64_t>(query + 1 + s.keys - s.queries, 0, s.keys) : s.keys;
}

// scale * q·k for the keys that a query sees.
std::vector<double> scores_of(const AttentionArgs& a, const Sequence& s, int64_t query, int64_t head) {
  const int64_t kv_head = head / (a.heads / a.kv_heads);
  std::vector<double> scores(static_cast<size_t>(visible_keys(a, s, query)));
  for (size_t j = 0; j < scores.size(); ++j) {
    double dot = 0;
    for (int64_t d = 0; d < a.head_dim; ++d) {
      dot += element(a.q, s.first_query + query, head, d) * kv_element(a.k, s, static_cast<int64_t>(j), kv_head, d);
    }
    scores[j] = dot * a.scale;
  }
  return scores;
}

// Turns scores into probabilities; returns log(sum(exp(scores))).
double softmax(std::vector<double>& scores) {
  if (scores.empty()) return -INFINITY;
  const double high = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - high);
  for (double& score : scores) score /= sum;
  return high + std::log(sum);
}

}  // namespace

void attention(const AttentionArgs& a) {
  const int64_t rows = a.query_offsets[a.sequences], D = a.head_dim, group = a.heads / a.kv_heads;
  for (int64_t i = 0; i < a.sequences; ++i) {
    const Sequence s = sequence_of(a, i);
    for (int64_t query = 0; query < s.queries; ++query) {
      const int64_t row = s.first_query + query;
      for (int64_t head = 0; head < a.heads; ++head) {
        std::vector<double> p = scores_of(a, s, query, head);
        const double lse = softmax(p);
        if (a.log_sum_exp != nullptr) a.log_sum_exp[head * rows + row] = static_cast<float>(lse);
        for (int64_t d = 0; d < D; ++d) {
          double sum = 0;
          for (size_t j = 0; j < p.size(); ++j) {
            sum += p[j] * kv_element(a.v, s, static_cast<int64_t>(j), head / group, d);
          }
          set({a.out, a.q.dtype}, row * a.out_row_stride + head * D + d, sum);
        }
      }
    }
  }
}

void attention_backward(const AttentionBackwardArgs& args) {
  const AttentionArgs& a = args.forward;
  const int64_t D = a.head_dim, group = a.heads / a.kv_heads;
  for (int64_t i = 0; i < a.sequences; ++i) {
    const Sequence s = sequence_of(a, i);
    for (int64_t kv_head = 0; kv_head < a.kv_heads; ++kv_head) {
      std::vector<double> dk(static_cast<size_t>(s.keys * D)), dv(static_cast<size_t>(s.keys * D));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        for (int64_t query = 0; query < s.queries; ++query) {
          const int64_t row = s.first_query + query;
          const auto grad = [&](int64_t d) {
            return get({args.grad_out, a.q.dtype}, row * a.out_row_stride + head * D + d);
          };
          std::vector<double> p = scores_of(a, s, query, head);
          softmax(p);
          std::vector<double> dp(p.size());
          double delta = 0;
          for (size_t j = 0; j < p.size(); ++j) {
            for (int64_t d = 0; d < D; ++d) {
              dp[j] += grad(d) * element(a.v, s.first_key + static_cast<int64_t>(j), kv_head, d);
              dv[j * static_cast<size_t>(D) + static_cast<size_t>(d)] += p[j] * grad(d);
            }
            delta += p[j] * dp[j];
          }
          for (int64_t d = 0; d < D; ++d) {
            double dq = 0;
            for (size_t j = 0; j < p.size(); ++j) {
              const double ds = p[j] * (dp[j] - delta) * a.scale;
              dq += ds * element(a.k, s.first_key + static_cast<int64_t>(j), kv_head, d);
              dk[j * static_cast<size_t>(D) + static_cast<size_t>(d)] += ds * element(a.q, row, head, d);
            }
            set({args.grad_q, a.q.dtype}, row * a.q.row_stride + head * a.q.head_stride + d, dq);
          }
        }
      }
      for (int64_t j = 0; j < s.keys; ++j) {
        for (int64_t d = 0; d < D; ++d) {
          const auto at = static_cast<size_t>(j * D + d);
          set({args.grad_k, a.k.dtype}, (s.first_key + j) * a.k.row_stride + kv_head * a.k.head_stride + d, dk[at]);
          set({args.grad_v, a.v.dtype}, (s.first_key + j) * a.v.row_stride + kv_head * a.v.head_stride + d, dv[at]);
        }
      }
    }
  }
}

}  // namespace sensorium::kernels::ref
