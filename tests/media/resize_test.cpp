#include "media/resize.h"

#include <cmath>

#include "base/threads.h"
#include "media/resize_kernels.h"
#include "media_test_util.h"

namespace sensorium::media {
namespace {

constexpr ResizeFilter kFilters[] = {ResizeFilter::nearest, ResizeFilter::box, ResizeFilter::bilinear,
                                     ResizeFilter::bicubic, ResizeFilter::lanczos};

TEST(Resize, SameSizeIsACopy) {
  const Image image = make_picture(19, 13);
  for (ResizeFilter filter : kFilters) EXPECT_EQ(resize(image, 19, 13, filter), image);
}

TEST(Resize, FlatPicturesStayFlat) {
  for (int channels : {1, 3}) {
    for (int value : {0, 1, 127, 254, 255}) {
      const Image image(37, 23, channels, static_cast<uint8_t>(value));
      for (ResizeFilter filter : kFilters) {
        for (const auto& [width, height] : {std::pair{5, 60}, {90, 3}, {1, 1}, {36, 22}}) {
          EXPECT_EQ(resize(image, width, height, filter), Image(width, height, channels, static_cast<uint8_t>(value)));
        }
      }
    }
  }
}

TEST(Resize, FastKernelsEqualThePlainLoops) {
  Rng rng(3);
  for (int round = 0; round < 150; ++round) {
    const int channels = round % 2 == 0 ? 3 : 1;
    const auto side = [&](int most) { return static_cast<int>(rng.integer(1, most)); };
    const Image image = make_picture(side(80), side(80), channels, static_cast<uint64_t>(round));
    const ResizeFilter filter = kFilters[rng.below(5)];
    const int width = side(120), height = side(120);
    const ResizeBox box{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
    EXPECT_EQ(detail::resize_with(image, width, height, filter, box, detail::best_resize_kernels()),
              detail::resize_with(image, width, height, filter, box, detail::scalar_resize_kernels()))
        << image.width << " x " << image.height << " -> " << width << " x " << height;
  }
}

TEST(Resize, ExtremeRatios) {
  const Image wide = make_picture(5000, 1), tall = make_picture(1, 5000, 1);
  for (ResizeFilter filter : kFilters) {
    EXPECT_EQ(resize(wide, 1, 1, filter).pixels.size(), 3u);
    EXPECT_EQ(resize(tall, 3, 2, filter).pixels.size(), 6u);
    EXPECT_EQ(resize(make_picture(1, 1), 300, 200, filter),
              resize(make_picture(1, 1), 300, 200, ResizeFilter::nearest));
  }
}

TEST(Resize, ThreadsDoNotChangeTheResult) {
  const Image image = make_picture(900, 700);
  const int threads = thread_count();
  set_thread_count(1);
  const Image alone = resize(image, 320, 240, ResizeFilter::bicubic);
  set_thread_count(4);
  const Image together = resize(image, 320, 240, ResizeFilter::bicubic);
  set_thread_count(threads);
  EXPECT_EQ(alone, together);
}

TEST(Resize, RefusesBadArguments) {
  const Image image = make_picture(10, 8);
  EXPECT_THROW(resize(image, 0, 5, ResizeFilter::box), Error);
  EXPECT_THROW(resize(image, 5, -1, ResizeFilter::box), Error);
  EXPECT_THROW(resize(Image(), 5, 5, ResizeFilter::box), Error);
  for (const ResizeBox& box : {ResizeBox{-1, 0, 5, 5}, {0, 0, 11, 5}, {3, 3, 3, 5}, {0, 6, 5, 5}, {0, 0, NAN, 5}}) {
    EXPECT_THROW(resize(image, 5, 5, ResizeFilter::bilinear, box), Error);
  }
}

}  // namespace
}  // namespace sensorium::media
