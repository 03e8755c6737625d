// Naming what was given instead of a picture: the message that saves the user a look into the file.
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "media/byte_reader.h"
#include "media/codec.h"

namespace sensorium::media::detail {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view what;
};

using namespace std::string_view_literals;

// First match wins.
constexpr Signature kSignatures[] = {
    {0, "GIF87a"sv, "a GIF picture"},
    {0, "GIF89a"sv, "a GIF picture"},
    {0, "II*\0"sv, "a TIFF picture"},
    {0, "MM\0*"sv, "a TIFF picture"},
    {4, "ftypavif"sv, "an AVIF picture"},
    {4, "ftypheic"sv, "a HEIC picture"},
    {4, "ftypmif1"sv, "a HEIF picture"},
    {4, "ftyp"sv, "an MP4 or QuickTime file"},
    {0, "\0\0\0\x0cJXL "sv, "a JPEG XL picture"},
    {0, "\xff\x0a"sv, "a JPEG XL picture"},
    {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 picture"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "\0\0\1\0"sv, "a Windows icon"},
    {0, "%PDF"sv, "a PDF document"},
    {0, "PK\3\4"sv, "a ZIP archive or an office document"},
    {0, "\x1f\x8b"sv, "a gzip archive"},
    {8, "WAVE"sv, "a WAV sound"},
    {8, "AVI "sv, "an AVI video"},
    {0, "fLaC"sv, "a FLAC sound"},
    {0, "OggS"sv, "an Ogg file"},
    {0, "ID3"sv, "an MP3 sound"},
    {0, "\x1a\x45\xdf\xa3"sv, "a Matroska or WebM video"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program"},
    {0, "BM"sv, "a BMP picture"},
};

bool starts_with_no_case(std::string_view text, std::string_view lower_prefix) {
  if (text.size() < lower_prefix.size()) return false;
  return std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(), [](char want, char have) {
    return want == static_cast<char>(std::tolower(static_cast<unsigned char>(have)));
  });
}

// The longest prefix that ends on a character boundary of a valid text may be cut inside its last character.
bool looks_like_text(std::string_view head) {
  if (std::any_of(head.begin(), head.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f';
      })) {
    return false;
  }
  const size_t invalid = find_invalid_utf8(head);
  return invalid == std::string_view::npos || (invalid > 0 && invalid + 4 > head.size());
}

}  // namespace

std::string describe_unknown(ByteSpan bytes) {
  if (bytes.empty()) return "an empty file";
  const ByteReader reader(bytes, ByteOrder::big);
  for (const Signature& signature : kSignatures) {
    if (reader.matches(signature.offset, signature.bytes)) return std::string(signature.what);
  }
  constexpr size_t kHead = 512;
  std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kHead));
  if (!looks_like_text(head)) {
    if (std::all_of(head.begin(), head.end(), [](char c) { return c == 0; })) return "a file of zero bytes";
    return "binary data of an unknown format";
  }
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n\f"), head.size()));
  if (starts_with_no_case(head, "<!doctype html") || starts_with_no_case(head, "<html")) return "an HTML page";
  if (starts_with_no_case(head, "<svg") || head.find("<svg") != std::string_view::npos) return "an SVG drawing";
  if (starts_with_no_case(head, "<?xml")) return "an XML document";
  if (head.starts_with("{") || head.starts_with("[")) return "a JSON or other text file";
  return "a text file";
}

}  // namespace sensorium::media::detail
