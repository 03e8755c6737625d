// The installed program needs nothing of the checkout.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {
namespace fs = std::filesystem;

TEST(E2eInstall, AnswersFromAnyFolder) {
  const TemporaryFolder folder;
  const std::string prefix = fs::canonical(folder.path()).string();
  const std::string install =
      fmt::format("cmake --install '{}' --prefix '{}' >'{}'", SENSORIUM_BINARY_DIR, prefix, folder / "log");
  ASSERT_EQ(std::system(install.c_str()), 0);
  const Surroundings around{.folder = "/", .program = prefix + "/bin/sensorium"};
  const Finished inspected = run_binary({"inspect", "--json"}, around);
  ASSERT_EQ(inspected.exit_code, 0) << inspected.err;
  EXPECT_EQ(Json::parse(inspected.out).at("path"), prefix + "/share/sensorium/models/default");
  const Finished asked = run_binary({"ask", "What is it?", prefix + "/share/sensorium/examples/digit.png"}, around);
  EXPECT_EQ(asked.exit_code, 0) << asked.err;
}

TEST(E2eInstall, AMovedCheckoutKeepsItsModel) {
  const TemporaryFolder checkout;
  const std::string folder = fs::canonical(checkout.path()).string();
  fs::create_directories(folder + "/build/release");
  fs::create_directories(folder + "/weights");
  fs::copy_file(binary(), folder + "/build/release/sensorium");
  fs::copy(std::string(SENSORIUM_SOURCE_DIR) + "/weights/default", folder + "/weights/default");
  const Finished inspected =
      run_binary({"inspect", "--json"}, {.folder = "/", .program = folder + "/build/release/sensorium"});
  ASSERT_EQ(inspected.exit_code, 0) << inspected.err;
  EXPECT_EQ(Json::parse(inspected.out).at("path"), folder + "/weights/default");
}

}  // namespace
}  // namespace sensorium::cli
