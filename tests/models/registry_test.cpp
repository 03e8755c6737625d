// Every line of the table of model families.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "models/model.h"

namespace sensorium::models {
namespace {

TEST(ModelFamilies, TheTableIsSound) {
  std::set<std::string> types;
  for (const ModelFamily& family : model_families()) {
    EXPECT_TRUE(types.emplace(family.model_type).second) << family.model_type;
    EXPECT_FALSE(std::string(family.summary).empty()) << family.model_type;
    EXPECT_NE(family.load, nullptr) << family.model_type;
  }
  EXPECT_FALSE(types.empty());
  EXPECT_FALSE(types.contains(""));
}

}  // namespace
}  // namespace sensorium::models
