// What senses other than sight take in: recordings, and the pictures of them that encoders read.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ops/ops.h"
#include "tensor/tensor.h"

namespace sensorium::modality {

struct SenseKind;  // senses.h

// Measurements over time, cut into windows that a model takes one by one.
struct Recording {
  const SenseKind* sense = nullptr;
  // f32 [steps, features] each, in order; what a feature is, in which unit and at which rate: the sense's prepare.h says it. Of
  // films u8 [frames, height, width, 3] (video.h).
  std::vector<Tensor> windows;
  double seconds = 0;  // of the whole recording, of which the windows may be samples
  // Of a film: when each window begins and ends, in seconds from the film's beginning.
  struct Span {
    double begin_s = 0, end_s = 0;
  };
  std::vector<Span> spans;
  // The sound of a film that stands beside it: a model that does not hear watches the film without it.
  bool sound_track = false;
  // Of such a sound: what is heard during each window of the film, in place of its own windows.
  std::vector<Tensor> beside_film;
  // What was measured and needs no guess ("centre 1.4 m"): told with the evidence.
  std::vector<std::string> facts;
};

// A window as the encoder takes it: a picture whose width is time, or the frames of a film. values [frames, height, width,
// channels], about -1..1.
struct Signal {
  int height = 0, width = 0, channels = 0, frames = 1;
  std::vector<float> values;

  Signal() = default;
  Signal(int rows, int columns, int depth, int pictures = 1)
      : height(rows),
        width(columns),
        channels(depth),
        frames(pictures),
        values(static_cast<size_t>(pictures) * static_cast<size_t>(rows) * static_cast<size_t>(columns) *
               static_cast<size_t>(depth)) {}
  // Of the first frame.
  float& at(int y, int x, int c) {
    return values[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) *
                      static_cast<size_t>(channels) +
                  static_cast<size_t>(c)];
  }
  float at(int y, int x, int c) const { return const_cast<Signal*>(this)->at(y, x, c); }
};

// A batch of signals as one packed list of positions.
struct PreparedSignals {
  Tensor values_PC;     // [sum frames * height * width, channels] in `dtype`
  ops::Pictures sizes;  // of every frame
};
// Signals of one sense. Throws Error(shape) if their channels differ.
PreparedSignals pack_signals(std::span<const Signal* const> signals, DType dtype);

// The windows that are kept of a recording whose length nobody knows before its end: of the first 2^n windows every 2^m-th, at
// most kMost of them, so that memory does not grow and the kept ones lie evenly over what was recorded.
class WindowSampler {
 public:
  static constexpr size_t kMost = 8;
  // `make` is called for a window that is kept.
  void add(const std::function<Tensor()>& make);
  // The windows so far, in order.
  std::vector<Tensor> take() { return std::move(kept_); }
  // Every how many windows one was kept.
  int64_t stride() const { return stride_; }

 private:
  std::vector<Tensor> kept_;
  int64_t seen_ = 0, stride_ = 1;
};

}  // namespace sensorium::modality
