#include "text/clip_merges.h"

#include <zlib.h>

#include <array>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"
#include "text/vocab_merges.h"

namespace sensorium::text {
namespace {

constexpr size_t kMerges = 49152 - 256 - 2;  // of the published vocabulary of 49,408: 512 + 48,894 + 2
constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr const char* kWordEnd = "</w>";

std::string unzip(const std::string& bytes) {
  z_stream stream{};
  require(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK, ErrorKind::io, "zlib cannot start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::array<char, 1 << 16> part{};
  int code = Z_OK;
  while (code == Z_OK && text.size() <= kMaxBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = static_cast<uInt>(part.size());
    code = inflate(&stream, Z_NO_FLUSH);
    text.append(part.data(), part.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  require(text.size() <= kMaxBytes, ErrorKind::limit, "unpacks to more than {} MB", kMaxBytes >> 20);
  require(code == Z_STREAM_END, ErrorKind::invalid_data, "damaged or cut off (gzip)");
  return text;
}

}  // namespace

Result<std::unique_ptr<BpeTokenizer>> parse_clip_merges(std::string_view text) {
  if (!is_valid_utf8(text)) return Error(ErrorKind::invalid_data, "is not valid UTF-8");
  Json vocab = Json::object();
  int64_t id = 0;
  for (const char* end : {"", kWordEnd}) {
    for (const bool printable : {true, false}) {
      for (int byte = 0; byte < 256; ++byte) {
        const char32_t c = byte_to_char(static_cast<uint8_t>(byte));
        if ((c == static_cast<char32_t>(byte)) != printable) continue;
        std::string token;
        append_utf8(token, c);
        vocab[token + end] = id++;
      }
    }
  }
  std::string merges;
  size_t count = 0;
  for (size_t begin = std::min(text.find('\n'), text.size() - 1) + 1; begin < text.size() && count < kMerges;) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    if (space == std::string::npos || space == 0 || space + 1 == line.size()) {
      return Error(ErrorKind::invalid_data,
                   fmt::format("line {}: expected two tokens with a space between", count + 2));
    }
    const std::string token = line.substr(0, space) + line.substr(space + 1);
    // Two merges that make the same token: the reference counts both, and the later id is the token's.
    vocab[token] = id++;
    merges += line + "\n";
    ++count;
  }
  if (count == 0) return Error(ErrorKind::invalid_data, "holds no merges");
  for (const char* token : {"<|startoftext|>", "<|endoftext|>"}) vocab[token] = id++;
  TokenizerConfig config;
  config.tokenizer_class = "CLIPTokenizer";
  return parse_vocab_merges(vocab.dump(), merges, config);
}

Result<std::unique_ptr<Tokenizer>> read_clip_merges(const std::filesystem::path& path) {
  try {
    const std::string bytes = read_file(path, kMaxBytes);
    auto tokenizer = parse_clip_merges(bytes.starts_with("\x1F\x8B") ? unzip(bytes) : bytes);
    if (!tokenizer) return tokenizer.error().with_context(path.string());
    return std::unique_ptr<Tokenizer>(std::move(tokenizer).value());
  } catch (const Error& error) {
    return error.message().starts_with(path.string()) ? error : error.with_context(path.string());
  }
}

}  // namespace sensorium::text
