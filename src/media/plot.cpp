#include "media/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

namespace sensorium::media {
namespace {

constexpr std::array<std::string_view, 8> kSeriesColors = {"#2f7ed8", "#e4572e", "#1ea672", "#a05fd6",
                                                           "#d69a00", "#0fa3b1", "#d6499b", "#7a8a2a"};

// Readable on white and on black pages: greys flip with the reader's scheme, the lines' colours serve both.
constexpr std::string_view kStyle =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#444}"
    ".title{font-size:15px;font-weight:600;fill:#222}"
    ".page{fill:#fff}.grid{stroke:#e4e4e4;stroke-width:1}.axis{stroke:#888;stroke-width:1;fill:none}"
    ".line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}"
    ".legend{fill:#fff;fill-opacity:.85}"
    "@media (prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.page{fill:#16181c}.grid{stroke:#30343b}"
    ".axis{stroke:#777}.legend{fill:#16181c}}";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) out += c;  // XML 1.0 has no control characters
    }
  }
  return out;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return !(low <= high); }
};

// The step 1, 2 or 5 times a power of ten that divides `span` into at most `most` parts.
double round_step(double span, int most) {
  const double raw = span / most;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

// All ticks of an axis share one unit: 5k, 10k, 15k. Without trailing zeros.
std::string tick_label(double value, double largest) {
  if (largest >= 1e9 || (largest > 0 && largest < 1e-3)) return fmt::format("{:.4g}", value);
  if (value != 0 && largest >= 1e6) return fmt::format("{:.6g}M", value / 1e6);
  if (value != 0 && largest >= 1e4) return fmt::format("{:.6g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

struct Axis {
  AxisScale scale = AxisScale::linear;
  Range range;                // in axis units: log10 of the value on a log axis
  std::vector<double> ticks;  // values
  double pixel_low = 0, pixel_high = 0;

  std::string label(double value) const {
    double largest = 0;
    for (const double tick : ticks) largest = std::max(largest, std::abs(tick));
    // A log axis spans many sizes: each of its ticks has its own unit.
    return tick_label(value, scale == AxisScale::log10 ? std::abs(value) : largest);
  }
  bool shows(double value) const { return std::abs(value) < 1e300 && (scale == AxisScale::linear || value > 0); }
  double unit(double value) const { return scale == AxisScale::log10 ? std::log10(value) : value; }
  double pixel(double value) const {
    return pixel_low + (unit(value) - range.low) / (range.high - range.low) * (pixel_high - pixel_low);
  }
};

constexpr double kEpsilon = 1e-9;

void set_linear_ticks(Axis& axis, int most) {
  const double step = round_step(axis.range.high - axis.range.low, most);
  // Whole steps from the tick at or below the low end; their number is bounded by `most`.
  const double first = std::ceil(axis.range.low / step - kEpsilon);
  for (int i = 0; i <= most; ++i) {
    const double value = (first + i) * step;
    if (value > axis.range.high + kEpsilon * step) break;
    axis.ticks.push_back(std::abs(value) < step * kEpsilon ? 0.0 : value);
  }
}

void set_log_ticks(Axis& axis, int most) {
  const double decades = axis.range.high - axis.range.low;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / most)));
  // With few decades the multiples 2 and 5 help too.
  const std::vector<double> factors = decades <= 1.0   ? std::vector<double>{1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9}
                                      : decades <= 3.0 ? std::vector<double>{1, 2, 5}
                                                       : std::vector<double>{1};
  const int first = static_cast<int>(std::floor(axis.range.low / stride)) * stride;
  for (int exponent = first; exponent <= axis.range.high + 1; exponent += stride) {
    for (const double factor : factors) {
      const double value = factor * std::pow(10.0, exponent);
      const double unit = std::log10(value);
      if (unit >= axis.range.low - kEpsilon && unit <= axis.range.high + kEpsilon) axis.ticks.push_back(value);
    }
  }
}

// Gives the range room and its ticks. A single value gets a range around it, none 0..1.
void finish_axis(Axis& axis, int most_ticks) {
  Range& range = axis.range;
  if (range.empty()) range = axis.scale == AxisScale::log10 ? Range{-1, 1} : Range{0, 1};
  // Spans too small for the numbers' precision count as a single value.
  constexpr double kTiny = 1e-290;
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= std::max(size * 1e-12, kTiny)) {
    const double margin = axis.scale == AxisScale::log10 ? 0.5 : size > kTiny ? size * 0.1 : 1.0;
    range.low -= margin;
    range.high += margin;
  }
  axis.scale == AxisScale::log10 ? set_log_ticks(axis, most_ticks) : set_linear_ticks(axis, most_ticks);
}

// Points beyond this are merged, a low and a high one per column: the curve looks the same and the file stays small.
constexpr size_t kMaxPoints = 4000;

std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points) {
  if (points.size() <= kMaxPoints) return points;
  std::vector<std::pair<double, double>> result;
  const size_t groups = kMaxPoints / 2;
  for (size_t g = 0; g < groups; ++g) {
    const size_t begin = g * points.size() / groups, end = (g + 1) * points.size() / groups;
    const auto [low, high] = std::minmax_element(points.begin() + static_cast<ptrdiff_t>(begin),
                                                 points.begin() + static_cast<ptrdiff_t>(end),
                                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    result.push_back(*std::min(low, high));
    result.push_back(*std::max(low, high));
  }
  return result;
}

// The drawable points of a series as runs without gaps.
std::vector<std::vector<std::pair<double, double>>> runs_of(const PlotSeries& series, const Axis& x, const Axis& y) {
  std::vector<std::vector<std::pair<double, double>>> runs(1);
  for (const auto& point : series.points) {
    if (x.shows(point.first) && y.shows(point.second)) {
      runs.back().push_back(point);
    } else if (!runs.back().empty()) {
      runs.emplace_back();
    }
  }
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

using Points = std::vector<std::pair<double, double>>;

// The mean of up to `count` points that end at each point, in the axis' own units.
Points running_mean(const Points& points, int count, const Axis& y) {
  std::vector<double> sums(points.size() + 1, 0.0);
  for (size_t i = 0; i < points.size(); ++i) sums[i + 1] = sums[i] + y.unit(points[i].second);
  Points result;
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t window = std::min(static_cast<size_t>(count), i + 1);
    const double mean = (sums[i + 1] - sums[i + 1 - window]) / static_cast<double>(window);
    result.emplace_back(points[i].first, y.scale == AxisScale::log10 ? std::pow(10.0, mean) : mean);
  }
  return result;
}

std::string polyline(const Points& points, std::string_view color, double opacity, const Axis& x, const Axis& y) {
  std::string svg =
      fmt::format("<polyline class=\"line\" stroke=\"{}\" stroke-opacity=\"{}\" points=\"", color, opacity);
  for (const auto& [px, py] : thinned(points)) svg += fmt::format("{:.1f},{:.1f} ", x.pixel(px), y.pixel(py));
  svg.back() = '"';
  return svg + "/>\n";
}

std::string draw_series(const PlotSeries& series, std::string_view color, int smoothing, const Axis& x, const Axis& y) {
  constexpr double kFaint = 0.25;
  std::string svg;
  for (const Points& run : runs_of(series, x, y)) {
    if (run.size() == 1) {
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x.pixel(run[0].first),
                         y.pixel(run[0].second), color);
    } else if (smoothing > 1 && run.size() / 2 > static_cast<size_t>(smoothing)) {
      svg += polyline(run, color, kFaint, x, y) + polyline(running_mean(run, smoothing, y), color, 1, x, y);
    } else {
      svg += polyline(run, color, 1, x, y);
    }
  }
  return svg;
}

}  // namespace

std::string line_plot_svg(const PlotSpec& spec) {
  const double width = std::clamp(spec.width_px, 200, 10000), height = std::clamp(spec.height_px, 150, 10000);
  const double left = 68, right = width - 24, top = spec.title.empty() ? 20 : 46, bottom = height - 54;
  Axis x, y;
  y.scale = spec.y_scale;
  x.pixel_low = left, x.pixel_high = right;
  y.pixel_low = bottom, y.pixel_high = top;
  for (const PlotSeries& series : spec.series) {
    for (const auto& [px, py] : series.points) {
      if (!x.shows(px) || !y.shows(py)) continue;
      x.range.add(x.unit(px));
      y.range.add(y.unit(py));
    }
  }
  if (!y.range.empty() && y.range.high > y.range.low) {
    const double margin = (y.range.high - y.range.low) * 0.04;
    y.range.low -= margin;
    y.range.high += margin;
  }
  finish_axis(x, std::max(2, static_cast<int>((right - left) / 90)));
  finish_axis(y, std::max(2, static_cast<int>((bottom - top) / 45)));

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "role=\"img\" aria-label=\"{2}\">\n<style>{3}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
      width, height, escape(spec.title), kStyle);
  if (!spec.title.empty()) {
    svg += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"26\">{}</text>\n", left, escape(spec.title));
  }
  for (const double value : x.ticks) {
    const double at = x.pixel(value);
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n", at, top,
                       bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", at, bottom + 18,
                       x.label(value));
  }
  for (const double value : y.ticks) {
    const double at = y.pixel(value);
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{2:.1f}\" y2=\"{1:.1f}\"/>\n", left, at,
                       right);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 8, at + 4,
                       y.label(value));
  }
  svg += fmt::format("<path class=\"axis\" d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\"/>\n", left, top, bottom, right);
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (left + right) / 2,
                     height - 14, escape(spec.x_label));
  svg += fmt::format("<text transform=\"translate(18 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     (top + bottom) / 2, escape(spec.y_label));
  for (size_t i = 0; i < spec.series.size(); ++i) {
    svg += draw_series(spec.series[i], kSeriesColors[i % kSeriesColors.size()], spec.smoothing_points, x, y);
  }
  // The legend sits in the corner that falling curves leave free. Text widths are estimates: 7 pixels a character.
  size_t longest = 0, named = 0;
  for (const PlotSeries& series : spec.series) {
    longest = std::max(longest, series.name.size());
    named += series.name.empty() ? 0 : 1;
  }
  if (named > 0) {
    const double box_width = 46 + 7.0 * static_cast<double>(longest), box_x = right - box_width - 8;
    svg += fmt::format("<rect class=\"legend\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" rx=\"4\"/>\n",
                       box_x, top + 6, box_width, named * 18 + 8);
    double row = top + 22;
    for (size_t i = 0; i < spec.series.size(); ++i) {
      if (spec.series[i].name.empty()) continue;
      svg +=
          fmt::format("<line class=\"line\" stroke=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                      kSeriesColors[i % kSeriesColors.size()], box_x + 8, row - 4, box_x + 28, row - 4);
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", box_x + 36, row, escape(spec.series[i].name));
      row += 18;
    }
  }
  return svg + "</svg>\n";
}

}  // namespace sensorium::media
