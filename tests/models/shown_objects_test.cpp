#include "models/sensorium/shown_objects.h"

#include <gtest/gtest.h>

namespace sensorium::models {
namespace {

std::vector<FoundObject> objects(const std::vector<std::string>& labels) {
  std::vector<FoundObject> result;
  for (const std::string& label : labels) result.push_back({label, 1.0f, {0, 0, 1, 1}});
  return result;
}

using Indices = std::vector<size_t>;

TEST(ShownObjects, NamedKinds) {
  const auto found = objects({"helmet", "head", "helmet"});
  EXPECT_EQ(shown_objects("How many people wear a safety helmet?", "2", found), (Indices{0, 2}));
  EXPECT_EQ(shown_objects("How many heads are there?", "1", found), (Indices{1}));
  EXPECT_EQ(shown_objects("Is there a helmet?", "yes", found), (Indices{0, 2}));
  EXPECT_EQ(shown_objects("What do the people wear?", "helmets", found), (Indices{0, 2}));
}

// The boxes must not contradict the number that they stand for.
TEST(ShownObjects, NumbersChooseTheKinds) {
  const auto found = objects({"helmet", "head", "helmet"});
  EXPECT_EQ(shown_objects("How many people do not wear a safety helmet?", "1", found), (Indices{1}));
  EXPECT_EQ(shown_objects("How many people do not wear a safety helmet?", "0", found), Indices{});
  EXPECT_EQ(shown_objects("How many people are there?", "3", found), (Indices{0, 1, 2}));
  const auto blocks = objects({"yellow circle", "blue square", "yellow square"});
  EXPECT_EQ(shown_objects("How many yellow objects are there?", "2", blocks), (Indices{0, 2}));
  EXPECT_EQ(shown_objects("How many squares are there?", " 2.", blocks), (Indices{1, 2}));
}

TEST(ShownObjects, NumbersThatNothingHas) {
  const auto found = objects({"helmet", "head", "helmet"});
  EXPECT_EQ(shown_objects("How many people wear a safety helmet?", "7", found), (Indices{0, 2}));
  EXPECT_EQ(shown_objects("What is the square root of 49?", "7", found), Indices{});
  EXPECT_EQ(shown_objects("How many people are there?", "3", {}), Indices{});
}

}  // namespace
}  // namespace sensorium::models
