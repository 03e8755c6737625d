// The packed layout and the rounding into it. Baseline code for every machine, so that a file's bytes are the same wherever
// it was made.
#include "kernels/packed.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/threads.h"

namespace sensorium::kernels {
namespace {

struct TypeName {
  PackedType type;
  const char* name;
  int64_t default_group;
};
constexpr std::array<TypeName, 3> kTypes = {
    {{PackedType::bf16, "bf16", 0}, {PackedType::q8, "q8", 128}, {PackedType::q4, "q4", 64}}};
constexpr int64_t kGroupStep = 32, kLargestGroup = 640;
constexpr int kBlock = 8;  // lanes of sums, in a fixed order on every machine

float value_at(ConstView w, int64_t index) {
  switch (w.dtype) {
    case DType::bf16:
      return static_cast<float>(static_cast<const bf16*>(w.data)[index]);
    case DType::f16:
      return static_cast<float>(static_cast<const f16*>(w.data)[index]);
    default:
      return static_cast<const float*>(w.data)[index];
  }
}

// To nearest, ties to even, for |x| < 2^22, without a library call.
inline float round_nearest(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return (x + kMagic) - kMagic;
}

// The values of a group of one row, zeros behind `count` up to a multiple of kBlock.
struct Group {
  alignas(64) float values[kLargestGroup];
  int64_t padded = 0;
  bool finite = true;

  void load(ConstView w, int64_t first, int64_t count) {
    padded = (count + kBlock - 1) / kBlock * kBlock;
    for (int64_t i = 0; i < count; ++i) values[i] = value_at(w, first + i);
    std::fill(values + count, values + padded, 0.0f);
    finite = std::all_of(values, values + count, [](float v) { return std::isfinite(v); });
    if (!finite) std::fill(values, values + padded, 0.0f);
  }
  // The value of the largest magnitude.
  float extreme() const {
    float most = 0;
    for (int64_t i = 0; i < padded; ++i) {
      if (std::abs(values[i]) > std::abs(most)) most = values[i];
    }
    return most;
  }
};

// Sums over a group: of value * q and of q * q, where q = round(value * inverse) within low..7.
struct Fit {
  float xq = 0, qq = 0;
};
Fit fit(const Group& group, float inverse) {
  float xq[kBlock] = {}, qq[kBlock] = {};
  for (int64_t i = 0; i < group.padded; i += kBlock) {
    for (int j = 0; j < kBlock; ++j) {
      const float x = group.values[i + j];
      float q = round_nearest(x * inverse);
      q = q < -8.0f ? -8.0f : q;
      q = q > 7.0f ? 7.0f : q;
      xq[j] += x * q;
      qq[j] += q * q;
    }
  }
  Fit sum;
  for (int j = 0; j < kBlock; ++j) sum.xq += xq[j], sum.qq += qq[j];
  return sum;
}

// The scale of 4 bits with the smallest squared error. The extreme value takes -8, the side with one step more, at the plain
// scale; the others tried let it fall short or be cut off, which groups of bell-shaped values gain from. For given integers
// the best scale is xq / qq, and it leaves an error of sum(x^2) - xq^2 / qq.
float best_q4_scale(const Group& group) {
  const float extreme = group.extreme();
  if (extreme == 0) return 0;
  constexpr int kTries = 11;
  float best = 0, best_gain = -1;
  for (int i = 0; i < kTries; ++i) {
    const float reach = 7.0f + 0.25f * static_cast<float>(i);  // 7..9.5 steps for the extreme value
    const Fit found = fit(group, -reach / extreme);
    if (found.qq <= 0) continue;
    const float gain = found.xq * found.xq / found.qq;
    if (gain > best_gain) {
      best_gain = gain;
      best = found.xq / found.qq;
    }
  }
  return best;
}

int quantized(float value, float inverse, int least, int most) {
  return std::clamp(static_cast<int>(round_nearest(value * inverse)), least, most);
}

// Where a row's words stand in a step.
struct Place {
  int64_t word = 0;
  bool high_nibbles = false;
};
Place place_of(PackedType type, int64_t row) {
  if (type != PackedType::q4) return {row, false};
  return {row / 32 * 16 + row % 16, row % 32 >= 16};
}

// One group of one row into the group's bytes of its panel.
void pack_group(const Group& group, const PackedLayout& layout, int64_t count, int64_t row, std::byte* out) {
  const bool four = layout.type == PackedType::q4;
  float wanted = four ? best_q4_scale(group) : std::abs(group.extreme()) / 127.0f;
  const f16 stored(group.finite ? wanted : std::numeric_limits<float>::quiet_NaN());
  std::memcpy(out + row * 2, &stored, 2);
  // Integers of the scale as it is stored. One beyond f16 would be infinite: such a group is not finite either.
  wanted = static_cast<float>(stored);
  const float inverse = wanted != 0 && std::isfinite(wanted) ? 1.0f / wanted : 0.0f;
  const Place place = place_of(layout.type, row);
  std::byte* to = out + layout.scale_bytes() + place.word * 4;
  const int least = four ? -8 : -127, most = four ? 7 : 127, zero = four ? 8 : 128;
  for (int64_t i = 0; i < count; i += 4, to += layout.step_bytes()) {
    for (int64_t j = 0; j < 4; ++j) {
      const float value = i + j < count && std::isfinite(wanted) ? group.values[i + j] : 0.0f;
      const auto bits = static_cast<unsigned>(quantized(value, inverse, least, most) + zero);
      to[j] =
          four ? to[j] | static_cast<std::byte>(bits << (place.high_nibbles ? 4 : 0)) : static_cast<std::byte>(bits);
    }
  }
}

void pack_quantized(ConstView w, int64_t row_stride, const PackedLayout& layout, int64_t panel, std::byte* out) {
  std::memset(out, 0, static_cast<size_t>(layout.panel_bytes()));
  const int64_t rows = std::min(kPanelRows, layout.n - panel * kPanelRows);
  Group group;
  for (int64_t g = 0; g < layout.groups(); ++g, out += layout.group_bytes()) {
    const int64_t first = g * layout.group, count = std::min(layout.group, layout.k - first);
    for (int64_t row = 0; row < kPanelRows; ++row) {
      if (row < rows) {
        group.load(w, (panel * kPanelRows + row) * row_stride + first, count);
      } else {
        group = Group();
        group.padded = (count + kBlock - 1) / kBlock * kBlock;
        std::fill_n(group.values, group.padded, 0.0f);
      }
      pack_group(group, layout, count, row, out);
    }
  }
}

// Rows of a panel that have integers and scales; missing ones are zeros.
void pack_panel_of_integers(const ReadIntegers& read, const PackedLayout& layout, int64_t panel, std::byte* out) {
  std::memset(out, 0, static_cast<size_t>(layout.panel_bytes()));
  const bool four = layout.type == PackedType::q4;
  const int zero = four ? 8 : 128;
  // Zeros behind k, up to whole steps.
  std::vector<int8_t> values(static_cast<size_t>(layout.steps() * layout.step_values()));
  std::vector<f16> scales(static_cast<size_t>(layout.groups()));
  for (int64_t row = 0; row < kPanelRows; ++row) {
    if (panel * kPanelRows + row < layout.n) {
      read(panel * kPanelRows + row, values.data(), scales.data());
    } else {
      std::fill(values.begin(), values.end(), int8_t{0});
      std::fill(scales.begin(), scales.end(), f16(0.0f));
    }
    const Place place = place_of(layout.type, row);
    const int8_t* from = values.data();
    std::byte* group = out;
    for (int64_t g = 0; g < layout.groups(); ++g, group += layout.group_bytes()) {
      std::memcpy(group + row * 2, &scales[static_cast<size_t>(g)], 2);
      const int64_t count = std::min(layout.group, layout.steps() * layout.step_values() - g * layout.group);
      std::byte* to = group + layout.scale_bytes() + place.word * 4;
      for (int64_t i = 0; i < count; i += 4, from += 4, to += layout.step_bytes()) {
        for (int64_t j = 0; j < 4; ++j) {
          const auto bits = static_cast<unsigned>(from[j] + zero);
          to[j] = four ? to[j] | static_cast<std::byte>(bits << (place.high_nibbles ? 4 : 0))
                       : static_cast<std::byte>(bits);
        }
      }
    }
  }
}

void pack_brain(ConstView w, int64_t row_stride, const PackedLayout& layout, int64_t panel, std::byte* out) {
  std::memset(out, 0, static_cast<size_t>(layout.panel_bytes()));
  const int64_t rows = std::min(kPanelRows, layout.n - panel * kPanelRows);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t from = (panel * kPanelRows + row) * row_stride;
    for (int64_t i = 0; i < layout.k; ++i) {
      const bf16 value(value_at(w, from + i));
      std::memcpy(out + i / 2 * layout.step_bytes() + row * 4 + i % 2 * 2, &value, 2);
    }
  }
}

}  // namespace

void check_layout(const PackedLayout& layout) {
  require(layout.n >= 0 && layout.k >= 0 && layout.n <= int64_t{1} << 32 && layout.k <= int64_t{1} << 32 &&
              (layout.k == 0 || layout.n <= (int64_t{1} << 46) / layout.k),
          ErrorKind::shape, "a matrix of {} x {} cannot be packed", layout.n, layout.k);
  const bool plain = layout.type == PackedType::bf16;
  require(
      plain ? layout.group == 0 : layout.group > 0 && layout.group % kGroupStep == 0 && layout.group <= kLargestGroup,
      ErrorKind::usage, "groups of {} values; expected {}", layout.group,
      plain ? "none for bf16" : "a multiple of 32 up to 640");
}

std::string name_of(const PackedLayout& layout) {
  for (const TypeName& type : kTypes) {
    if (type.type == layout.type) return layout.group == 0 ? type.name : fmt::format("{}/{}", type.name, layout.group);
  }
  return "";
}

PackedLayout parse_packed_type(const std::string& name) {
  const size_t slash = name.find('/');
  for (const TypeName& type : kTypes) {
    if (name.substr(0, slash) != type.name) continue;
    PackedLayout layout{.type = type.type, .group = type.default_group};
    if (slash != std::string::npos) {
      const char* end = name.data() + name.size();
      const auto [stop, error] = std::from_chars(name.data() + slash + 1, end, layout.group);
      require(error == std::errc() && stop == end, ErrorKind::usage, "\"{}\": the group is no number", name);
    }
    check_layout(layout);
    return layout;
  }
  fail(ErrorKind::usage, "\"{}\" is no type of packed weights; known are bf16, q8 and q4, with a group as in q4/64",
       name);
}

std::vector<PackedLayout> packed_types() {
  std::vector<PackedLayout> types;
  for (const TypeName& type : kTypes) {
    if (type.default_group == 0) {
      types.push_back({.type = type.type});
      continue;
    }
    for (int64_t group = kGroupStep; group <= kLargestGroup; group += kGroupStep)
      types.push_back({.type = type.type, .group = group});
  }
  return types;
}

void pack_weight(ConstView w, int64_t row_stride, const PackedLayout& layout, std::byte* out) {
  check_layout(layout);
  require(is_float(w.dtype), ErrorKind::shape, "pack_weight: the weight is {}, expected f32, bf16 or f16",
          name_of(w.dtype));
  parallel_for(layout.panels(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      std::byte* to = out + panel * layout.panel_bytes();
      if (layout.type == PackedType::bf16) {
        pack_brain(w, row_stride, layout, panel, to);
      } else {
        pack_quantized(w, row_stride, layout, panel, to);
      }
    }
  });
}

void pack_integers(const ReadIntegers& read, const PackedLayout& layout, std::byte* out) {
  check_layout(layout);
  require(layout.type != PackedType::bf16, ErrorKind::usage, "pack_integers: bf16 holds no integers");
  parallel_for(layout.panels(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      pack_panel_of_integers(read, layout, panel, out + panel * layout.panel_bytes());
    }
  });
}

}  // namespace sensorium::kernels
