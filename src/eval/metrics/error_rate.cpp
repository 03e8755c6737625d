#include "eval/metrics/error_rate.h"

#include <algorithm>
#include <numeric>

#include "base/utf8.h"
#include "eval/metrics/bootstrap.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

template <typename Symbol>
size_t levenshtein(std::span<const Symbol> from, std::span<const Symbol> to) {
  std::vector<size_t> row(to.size() + 1);  // distances of the prefix of `from` read so far to every prefix of `to`
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t substituted = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::vector<char32_t> code_points(const std::vector<std::string>& words) {
  std::vector<char32_t> out;
  for (const std::string& word : words) {
    if (!out.empty()) out.push_back(U' ');
    std::string_view rest = word;
    while (!rest.empty()) {
      char32_t character = 0;
      const int length = decode_utf8(rest, character);
      out.push_back(length > 0 ? character : U'\uFFFD');
      rest.remove_prefix(static_cast<size_t>(std::max(1, length)));
    }
  }
  return out;
}

template <typename Symbol, typename Split>
MetricValue error_rate(std::string_view name, std::span<const EvalItem> items, const BootstrapOptions& options,
                       Split&& split) {
  std::vector<double> edits, lengths;
  for (const EvalItem& item : items) {
    require(!item.references.empty(), ErrorKind::invalid_data, "{}: an item has no reference transcript", name);
    const std::vector<Symbol> truth = split(item.references[0]);
    const std::vector<Symbol> said = split(item.prediction);
    edits.push_back(static_cast<double>(levenshtein<Symbol>(truth, said)));
    lengths.push_back(static_cast<double>(truth.size()));
  }
  require(std::accumulate(lengths.begin(), lengths.end(), 0.0) > 0, ErrorKind::invalid_data,
          "{}: the reference transcripts hold no word", name);
  return ratio_with_interval(edits, lengths, options);
}

}  // namespace

size_t edit_distance(std::span<const std::string> from, std::span<const std::string> to) {
  return levenshtein(from, to);
}

MetricValue wer(std::span<const EvalItem> items, const BootstrapOptions& options) {
  return error_rate<std::string>("wer", items, options, [](const std::string& text) { return transcript_words(text); });
}

MetricValue cer(std::span<const EvalItem> items, const BootstrapOptions& options) {
  return error_rate<char32_t>("cer", items, options,
                              [](const std::string& text) { return code_points(transcript_words(text)); });
}

}  // namespace sensorium::eval
