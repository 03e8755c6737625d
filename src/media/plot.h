// Line plots as SVG: the loss curve in a run's folder. One self-contained file that is readable on light and dark
// pages.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sensorium::media {

enum class AxisScale { linear, log10 };

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y) in the order of drawing; a NaN or infinity breaks the line
};

struct PlotSpec {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;
  AxisScale y_scale = AxisScale::linear;  // log10 skips values <= 0
  // Above 1, series of more points than twice this are drawn faintly, with their running mean over so many points on
  // top.
  int smoothing_points = 0;
  int width_px = 800, height_px = 450;
};

// Any number of series and points, also none.
std::string line_plot_svg(const PlotSpec& spec);

}  // namespace sensorium::media
