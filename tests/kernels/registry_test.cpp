#include <cstdlib>

#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

// Every entry of a table, as untyped pointers.
std::vector<const void*> entries(const KernelTable& table) {
  std::vector<const void*> pointers((sizeof(KernelTable) - sizeof(const char*)) / sizeof(void*));
  std::memcpy(pointers.data(), reinterpret_cast<const std::byte*>(&table) + sizeof(const char*),
              pointers.size() * sizeof(void*));
  return pointers;
}

TEST(Registry, EveryTableIsComplete) {
  for (const void* entry : entries(reference_kernels())) EXPECT_NE(entry, nullptr);
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    for (const void* entry : entries(table)) EXPECT_NE(entry, nullptr) << isa;
    EXPECT_STREQ(table.device, "cpu");
  });
}

TEST(Registry, InstructionSetsShareNoKernel) {
  std::vector<const KernelTable*> tables = {&reference_kernels()};
  for_each_isa([&](const KernelTable& table, const std::string&) { tables.push_back(&table); });
  for (size_t a = 0; a < tables.size(); ++a) {
    for (size_t b = a + 1; b < tables.size(); ++b) {
      const auto left = entries(*tables[a]), right = entries(*tables[b]);
      for (size_t i = 0; i < left.size(); ++i) EXPECT_NE(left[i], right[i]) << "entry " << i;
    }
  }
}

TEST(Registry, PortableIsAlwaysThereAndTheActiveSetIsSupported) {
  EXPECT_TRUE(isa_supported(Isa::portable));
  EXPECT_TRUE(isa_supported(active_isa()));
  EXPECT_EQ(&kernel_table({}), &cpu_kernels(active_isa()));
}

TEST(Registry, MissingDeviceIsAnError) {
  try {
    kernel_table({DeviceKind::cuda, 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("cuda:1"), std::string::npos);
  }
}

TEST(Registry, MissingKernelNamesOperationAndDevice) {
  const KernelTable empty{.device = "toaster"};
  try {
    find_kernel(empty.gemm, empty, "gemm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("gemm"), std::string::npos);
    EXPECT_NE(error.message().find("toaster"), std::string::npos);
  }
}

// active_isa() is decided once per process: the choice is tried in children.
TEST(RegistryDeathTest, EnvironmentChoosesTheInstructionSet) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("SENSORIUM_ISA", "portable", 1);
        std::exit(active_isa() == Isa::portable ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
  EXPECT_EXIT(
      {
        setenv("SENSORIUM_ISA", "sse9", 1);
        try {
          active_isa();
        } catch (const Error& error) {
          std::exit(error.kind() == ErrorKind::usage && error.message().find("sse9") != std::string::npos ? 7 : 2);
        }
        std::exit(1);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace sensorium::kernels
