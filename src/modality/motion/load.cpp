#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "io/npy.h"
#include "modality/motion/motion.h"

namespace sensorium::modality {
namespace {

constexpr size_t kMostBytes = size_t{1} << 30;
constexpr int64_t kMostSamples = int64_t{1} << 27;  // of the result: 31 days
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kExpected =
    "acc_x, acc_y, acc_z (m/s^2), gyr_x, gyr_y, gyr_z (rad/s), and time_s if there is one";

// What the columns may be called, without "_" and "-": one list of an axis' sensors, before its letter.
constexpr std::array<std::string_view, 4> kAccelerometer = {"acc", "accelerometer", "accel", "a"};
constexpr std::array<std::string_view, 5> kGyroscope = {"gyr", "gyroscope", "gyro", "g", "w"};

// Samples as they stand in the file.
struct Samples {
  std::vector<double> time_s;                         // empty: evenly spaced
  std::array<std::vector<double>, kMotionAxes> axes;  // kMissing: not measured
};

std::string plain_name(std::string_view cell) {
  std::string name;
  for (const char c : cell) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  for (size_t begin = 0;;) {
    const size_t comma = line.find_first_of(",;\t", begin);
    std::string_view cell = line.substr(begin, comma == std::string_view::npos ? comma : comma - begin);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '"')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '"')) cell.remove_suffix(1);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    begin = comma + 1;
  }
}

// Where the columns stand in a line.
struct Columns {
  std::array<size_t, kMotionAxes> axes{};
  std::optional<size_t> time;
  double time_unit_s = 1;
};

Columns find_columns(const std::vector<std::string_view>& header) {
  std::vector<std::string> names;
  for (const std::string_view cell : header) names.push_back(plain_name(cell));
  Columns columns;
  const auto find_axis = [&](std::span<const std::string_view> sensors, char axis) -> std::optional<size_t> {
    for (size_t i = 0; i < names.size(); ++i) {
      for (const std::string_view sensor : sensors) {
        if (names[i] == std::string(sensor) + axis) return i;
      }
    }
    return std::nullopt;
  };
  for (size_t axis = 0; axis < kMotionAxes; ++axis) {
    const std::span<const std::string_view> sensors =
        axis < 3 ? std::span<const std::string_view>(kAccelerometer) : std::span<const std::string_view>(kGyroscope);
    const auto found = find_axis(sensors, "xyz"[axis % 3]);
    require(found.has_value(), ErrorKind::invalid_data, "no column of the {}'s {}; expected {}",
            axis < 3 ? "accelerometer" : "gyroscope", "xyz"[axis % 3], kExpected);
    columns.axes[axis] = *found;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "times" || names[i] == "timems") {
      columns.time = i;
      columns.time_unit_s = names[i] == "timems" ? 1e-3 : 1;
    }
  }
  return columns;
}

double number_of(std::string_view cell, int64_t line) {
  if (cell.empty()) return kMissing;
  std::string name = plain_name(cell);
  if (name == "nan" || name == "null") return kMissing;
  double value = 0;
  const auto [end, fault] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  require(fault == std::errc() && end == cell.data() + cell.size() && std::isfinite(value), ErrorKind::invalid_data,
          "line {}: \"{}\" is no number", line, cell.substr(0, 40));
  return value;
}

Samples read_samples(std::string_view text) {
  Samples samples;
  std::optional<Columns> columns;
  size_t cells_a_line = 0;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const std::vector<std::string_view> cells = split(line);
    if (!columns) {
      columns = find_columns(cells);
      cells_a_line = cells.size();
      continue;
    }
    require(cells.size() == cells_a_line, ErrorKind::invalid_data, "line {}: {} cells, the line of names has {}",
            line_number, cells.size(), cells_a_line);
    for (size_t axis = 0; axis < kMotionAxes; ++axis)
      samples.axes[axis].push_back(number_of(cells[columns->axes[axis]], line_number));
    if (!columns->time) continue;
    const double time = number_of(cells[*columns->time], line_number) * columns->time_unit_s;
    require(std::isfinite(time) && (samples.time_s.empty() || time > samples.time_s.back()), ErrorKind::invalid_data,
            "line {}: the time is missing or not later than that of the line before", line_number);
    samples.time_s.push_back(time);
  }
  require(columns.has_value(), ErrorKind::invalid_data, "no line of names; expected {}", kExpected);
  return samples;
}

// Between the measured neighbours; at the ends the nearest measured one.
void fill_missing(std::vector<double>& values, size_t axis) {
  const auto missing =
      static_cast<size_t>(std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }));
  require(missing * 2 <= values.size(), ErrorKind::invalid_data, "{} of {} samples of the {}'s {} are missing", missing,
          values.size(), axis < 3 ? "accelerometer" : "gyroscope", "xyz"[axis % 3]);
  if (missing == 0) return;
  size_t last = values.size();  // index of the last measured one
  for (size_t i = 0; i <= values.size(); ++i) {
    if (i < values.size() && std::isnan(values[i])) continue;
    for (size_t k = last == values.size() ? 0 : last + 1; k < i; ++k) {
      if (last == values.size()) {
        values[k] = values[i];
      } else if (i == values.size()) {
        values[k] = values[last];
      } else {
        const double part = static_cast<double>(k - last) / static_cast<double>(i - last);
        values[k] = values[last] + part * (values[i] - values[last]);
      }
    }
    last = i;
  }
}

// At the model's rate: the mean of what was measured around each moment, or between the two samples beside it.
Motion resample(const Samples& samples) {
  const size_t count = samples.axes[0].size();
  Motion motion;
  if (samples.time_s.empty()) {
    for (size_t i = 0; i < count; ++i) {
      for (const std::vector<double>& axis : samples.axes) motion.values.push_back(static_cast<float>(axis[i]));
    }
    return motion;
  }
  const std::vector<double>& time = samples.time_s;
  const double length_s = count == 0 ? 0 : time.back() - time.front();
  require(length_s * kMotionRateHz < static_cast<double>(kMostSamples), ErrorKind::limit,
          "a recording of {:.0f} hours; time_s is in seconds", length_s / 3600);
  const auto steps = count == 0 ? 0 : static_cast<int64_t>(length_s * kMotionRateHz + 1e-6) + 1;
  size_t low = 0, high = 0, before = 0;  // low..high: within half a step
  for (int64_t step = 0; step < steps; ++step) {
    const double now = time.front() + static_cast<double>(step) / kMotionRateHz, half = 0.5 / kMotionRateHz;
    while (low < count && time[low] < now - half) ++low;
    while (high < count && time[high] < now + half) ++high;
    while (before + 1 < count && time[before + 1] <= now) ++before;
    for (const std::vector<double>& axis : samples.axes) {
      double value = 0;
      if (high >= low + 2) {
        for (size_t i = low; i < high; ++i) value += axis[i] / static_cast<double>(high - low);
      } else {
        const size_t after = std::min(before + 1, count - 1);
        const double span = time[after] - time[before];
        const double part = span > 0 ? std::clamp((now - time[before]) / span, 0.0, 1.0) : 0;
        value = axis[before] + part * (axis[after] - axis[before]);
      }
      motion.values.push_back(static_cast<float>(value));
    }
  }
  return motion;
}

Motion from_samples(Samples samples) {
  for (size_t axis = 0; axis < kMotionAxes; ++axis) fill_missing(samples.axes[axis], axis);
  return resample(samples);
}

Motion from_npy(std::string_view bytes) {
  const Tensor array = io::parse_npy(std::as_bytes(std::span(bytes.data(), bytes.size()))).value();
  require(
      array.rank() == 2 && array.dim(1) == kMotionAxes, ErrorKind::invalid_data,
      "an array of shape {}, expected [samples, 6]: accelerometer x, y, z (m/s^2), gyroscope x, y, z (rad/s) at {} Hz",
      array.shape().str(), kMotionRateHz);
  const std::vector<float> values = array.to(DType::f32).to_floats();
  Samples samples;
  for (size_t i = 0; i < values.size(); ++i) {
    require(!std::isinf(values[i]), ErrorKind::invalid_data, "sample {} is infinite", i / kMotionAxes);
    samples.axes[i % kMotionAxes].push_back(values[i]);
  }
  return from_samples(std::move(samples));
}

}  // namespace

Motion parse_motion_csv(std::string_view text) { return from_samples(read_samples(text)); }

Motion load_motion(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, kMostBytes);
  try {
    return bytes.starts_with("\x93NUMPY") ? from_npy(bytes) : parse_motion_csv(bytes);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

}  // namespace sensorium::modality
