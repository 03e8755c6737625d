#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/sha256_blocks.h"

namespace sensorium {
namespace {

// FIPS 180-4 examples (NIST CSRC, "SHA256.pdf" and the one-million-a vector).
TEST(Sha256, KnownVectors) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(i * 7);
  for (size_t length :
       {size_t{0}, size_t{1}, size_t{55}, size_t{56}, size_t{63}, size_t{64}, size_t{65}, size_t{300}}) {
    const std::string_view text = std::string_view(bytes).substr(0, length);
    for (size_t piece : {size_t{1}, size_t{3}, size_t{63}, size_t{64}, size_t{200}}) {
      Sha256 hash;
      for (size_t at = 0; at < length; at += piece) hash.update(text.substr(at, piece));
      EXPECT_EQ(hash.digest(), sha256(text)) << length << " in pieces of " << piece;
    }
  }
}

TEST(Sha256, Hex) { EXPECT_EQ(to_hex(std::vector<uint8_t>{0x00, 0x0f, 0xa5, 0xff}), "000fa5ff"); }

TEST(Sha256, TheProcessorsInstructionsGiveWhatThePlainRoundsGive) {
  const detail::Sha256Blocks fast = detail::sha256_blocks_x86();
  if (fast == nullptr) GTEST_SKIP() << "this processor has no SHA instructions";
  std::vector<uint8_t> blocks(9 * 64);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<uint8_t>(i * 167 + i / 64);
  for (size_t count = 0; count <= 9; ++count) {
    std::array<uint32_t, 8> plain = {1, 2, 3, 4, 0xFFFFFFFF, 6, 7, 8}, own = plain;
    detail::sha256_blocks_portable(plain, blocks.data(), count);
    fast(own, blocks.data(), count);
    EXPECT_EQ(own, plain) << count;
  }
}

}  // namespace
}  // namespace sensorium
