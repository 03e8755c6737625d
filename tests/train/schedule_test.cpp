#include "train/schedule.h"

#include <gtest/gtest.h>

namespace sensorium::train {
namespace {

TEST(Schedule, WarmsUpLinearlyAndEndsAtTheFinalFraction) {
  const Schedule schedule{.peak = 2e-3, .warmup_steps = 10, .total_steps = 110, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0), 2e-4);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(9), 2e-3);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(10), 2e-3);
  EXPECT_NEAR(schedule.learning_rate(60), 2e-3 * 0.55, 1e-12);  // half way: the cosine is 0
  EXPECT_NEAR(schedule.learning_rate(110), 2e-4, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(1000), 2e-4, 1e-12);
}

TEST(Schedule, NeedsNoWarmUp) {
  const Schedule schedule{.peak = 1, .warmup_steps = 0, .total_steps = 1, .final_fraction = 0};
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0), 1);
}

}  // namespace
}  // namespace sensorium::train
