#include "modality/signal.h"

#include "base/error.h"

namespace sensorium::modality {

PreparedSignals pack_signals(std::span<const Signal* const> signals, DType dtype) {
  require(!signals.empty(), ErrorKind::shape, "no signals to pack");
  PreparedSignals result;
  const int channels = signals.front()->channels;
  std::vector<float> values;
  for (const Signal* signal : signals) {
    require(signal->channels == channels, ErrorKind::shape, "signals of {} and of {} channels in one batch", channels,
            signal->channels);
    result.sizes.heights.insert(result.sizes.heights.end(), static_cast<size_t>(signal->frames), signal->height);
    result.sizes.widths.insert(result.sizes.widths.end(), static_cast<size_t>(signal->frames), signal->width);
    values.insert(values.end(), signal->values.begin(), signal->values.end());
  }
  result.values_PC = Tensor::from(values, {result.sizes.positions(), channels}).to(dtype);
  return result;
}

void WindowSampler::add(const std::function<Tensor()>& make) {
  if (seen_++ % stride_ != 0) return;
  if (kept_.size() == kMost) {
    // Every other one goes. This window's index is kMost strides, which the doubled stride divides.
    for (size_t i = 0; i < kMost / 2; ++i) kept_[i] = kept_[2 * i];
    kept_.resize(kMost / 2);
    stride_ *= 2;
  }
  kept_.push_back(make());
}

}  // namespace sensorium::modality
