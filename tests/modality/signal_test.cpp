#include "modality/signal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/error.h"
#include "modality/senses.h"

namespace sensorium::modality {
namespace {

TEST(PackSignals, StandOneAfterAnother) {
  Signal a(1, 2, 3), b(2, 1, 3);
  for (size_t i = 0; i < 6; ++i) {
    a.values[i] = static_cast<float>(i);
    b.values[i] = static_cast<float>(10 + i);
  }
  const Signal* pointers[] = {&a, &b};
  const PreparedSignals packed = pack_signals(pointers, DType::f32);
  EXPECT_EQ(packed.values_PC.shape(), Shape({4, 3}));
  EXPECT_EQ(packed.sizes.heights, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(packed.sizes.widths, (std::vector<int32_t>{2, 1}));
  EXPECT_EQ(packed.values_PC.data<float>()[5], 5.0f);
  EXPECT_EQ(packed.values_PC.data<float>()[6], 10.0f);
  EXPECT_EQ(pack_signals(pointers, DType::bf16).values_PC.dtype(), DType::bf16);

  const Signal other(1, 1, 2);
  const Signal* mixed[] = {&a, &other};
  EXPECT_THROW(pack_signals(mixed, DType::f32), Error);
}

TEST(WindowSampler, KeepsFewWindowsEvenly) {
  for (const int count : {1, 7, 8, 9, 100, 3600}) {
    WindowSampler sampler;
    int made = 0;
    for (int i = 0; i < count; ++i) {
      sampler.add([&] {
        ++made;
        return Tensor::full({1}, static_cast<float>(i));
      });
    }
    const std::vector<Tensor> kept = sampler.take();
    ASSERT_LE(kept.size(), WindowSampler::kMost) << count;
    ASSERT_GE(kept.size(), static_cast<size_t>(std::min(count, 4))) << count;
    EXPECT_EQ(kept.front().item(), 0.0f);
    const float stride = kept.size() < 2 ? 1 : kept[1].item();
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].item(), static_cast<float>(i) * stride) << count;
    // The next one would lie behind the end.
    EXPECT_GE(static_cast<float>(kept.size()) * stride, static_cast<float>(count)) << count;
    EXPECT_LE(made, 8 + 4 * 10) << count << ": windows that go are not computed again and again";
  }
}

TEST(Senses, TheTableIsComplete) {
  std::set<std::string_view> names;
  for (const SenseKind& kind : sense_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_EQ(find_sense(kind.name), &kind);
    for (const std::string_view words : {kind.faculty, kind.input, kind.lead, kind.question, kind.caption_question})
      EXPECT_FALSE(words.empty()) << kind.name;
    EXPECT_FALSE(kind.extensions.empty() && kind.possible_extensions.empty());
    for (const std::string_view extension : kind.possible_extensions)
      EXPECT_TRUE(may_be(kind, "a" + std::string(extension))) << extension;
    for (const std::string_view extension : kind.extensions)
      EXPECT_EQ(sense_of_file("dir/A" + std::string(extension)), &kind) << extension;
  }
  EXPECT_EQ(sense_of_file("BARK.WAV"), find_sense("audio"));
  EXPECT_EQ(sense_of_file("photo.jpg"), nullptr);
  EXPECT_EQ(find_sense("smell"), nullptr);
  try {
    sense_kind("smell");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "there is no sense \"smell\"; senses are audio, imu, video, depth");
  }
}

}  // namespace
}  // namespace sensorium::modality
