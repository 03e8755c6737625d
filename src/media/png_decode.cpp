// PNG (third edition, W3C 2025) through libpng.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "media/byte_reader.h"
#include "media/codec.h"
#include "media/exif.h"

namespace sensorium::media::detail {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
// Deflate cannot shrink data by more than this factor (258 bytes from 2 bits, less the block's own cost).
constexpr uint64_t kMaxDeflateRatio = 1032;

Error truncated(size_t bytes) {
  return Error(ErrorKind::invalid_data, fmt::format("truncated PNG: the data end after {} bytes", bytes));
}
Error damaged(std::string_view why) { return Error(ErrorKind::invalid_data, fmt::format("damaged PNG: {}", why)); }

int channels_of(uint32_t color_type) {
  switch (color_type) {
    case PNG_COLOR_TYPE_GRAY:
      return 1;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      return 2;
    case PNG_COLOR_TYPE_RGB:
      return 3;
    case PNG_COLOR_TYPE_PALETTE:
      return 3;
    case PNG_COLOR_TYPE_RGB_ALPHA:
      return 4;
    default:
      return 0;
  }
}

struct Header {
  ImageInfo info;
  uint32_t color_type = 0;
  uint64_t data_bytes = 0;  // of all IDAT chunks
};

// Walks the chunks; libpng checks what is in them.
Result<Header> walk_chunks(ByteSpan bytes) {
  const ByteReader reader(bytes, ByteOrder::big);
  constexpr size_t kChunkOverhead = 12;  // length, type, checksum
  Header header;
  ImageInfo& info = header.info;
  for (size_t at = kSignature.size();;) {
    const auto length = reader.u32(at);
    if (!length || !reader.holds(at, kChunkOverhead)) {
      // After the header the size is known; whether the rest is there is the decoder's business.
      if (at > kSignature.size()) return header;
      return truncated(bytes.size());
    }
    const bool is_header = reader.matches(at + 4, "IHDR");
    if (is_header != (at == kSignature.size())) return damaged("the first chunk, and only it, must be IHDR");
    const ByteReader chunk(reader.slice(at + 8, *length), ByteOrder::big);
    if (is_header) {
      const auto width = chunk.u32(0), height = chunk.u32(4), bits = chunk.u8(8), color_type = chunk.u8(9);
      if (!color_type || *length != 13) return damaged("its IHDR chunk is not 13 bytes long");
      if (*width > PNG_UINT_31_MAX || *height > PNG_UINT_31_MAX) {
        return damaged(fmt::format("{} x {} pixels are more than the format allows", *width, *height));
      }
      info.width = static_cast<int>(*width);
      info.height = static_cast<int>(*height);
      info.bits_per_channel = static_cast<int>(*bits);
      info.file_channels = channels_of(*color_type);
      header.color_type = *color_type;
      if (info.file_channels == 0) return damaged(fmt::format("color type {} does not exist", *color_type));
      info.has_alpha = (*color_type & PNG_COLOR_MASK_ALPHA) != 0;
    } else if (reader.matches(at + 4, "IDAT")) {
      header.data_bytes += chunk.size();
    } else if (reader.matches(at + 4, "tRNS")) {
      info.has_alpha = true;
    } else if (reader.matches(at + 4, "acTL")) {
      info.animated = true;
    } else if (reader.matches(at + 4, "eXIf")) {
      info.orientation = exif_orientation(reader.slice(at + 8, *length));
    } else if (reader.matches(at + 4, "IEND")) {
      return header;
    }
    at += kChunkOverhead + size_t{*length};
  }
}

// libpng reports errors by a long jump to the method that called it. Between the two there are only C frames and, in
// the methods, no objects with destructors.
class Decoder {
 public:
  explicit Decoder(ByteSpan bytes) : bytes_(bytes) {}
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Reads everything up to the pixels.
  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {});
    if (png_ == nullptr) return false;
    if (setjmp(jump_)) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return false;
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // our own limits have been checked
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    // Chunks that may hold compressed text or profiles of any size, and that nothing here looks at.
    static const png_byte ignored[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0eXIf\0hIST";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, ignored, 7);
    png_set_read_fn(png_, this, read_bytes);
    png_read_info(png_, info_);
    return true;
  }
  bool transform_to_rgb(bool& has_alpha) {
    if (setjmp(jump_)) return false;
    const png_byte type = png_get_color_type(png_, info_);
    if (png_get_valid(png_, info_, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    png_set_strip_16(png_);  // the high byte, as Pillow does for colour
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    has_alpha = png_get_channels(png_, info_) == 4;
    return true;
  }
  // Grey samples as they are: one byte each below 16 bits, two in the machine's order at 16.
  bool transform_to_grey() {
    if (setjmp(jump_)) return false;
    png_set_packing(png_);
    const uint16_t probe = 1;
    uint8_t first_byte;
    std::memcpy(&first_byte, &probe, 1);
    if (first_byte == 1) png_set_swap(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  int passes() const { return passes_; }
  uint32_t width() const { return png_get_image_width(png_, info_); }
  uint32_t height() const { return png_get_image_height(png_, info_); }

  bool read_row(uint8_t* row) {
    if (setjmp(jump_)) return false;
    png_read_row(png_, row, nullptr);
    return true;
  }
  bool finish() {
    if (setjmp(jump_)) return false;
    png_read_end(png_, nullptr);
    return true;
  }
  Error error() const {
    if (ran_out_) return truncated(bytes_.size());
    return damaged(message_);
  }

 private:
  static constexpr size_t kMaxChunkBytes = 8u << 20;

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Decoder*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof(self->message_), "%s", message);
    std::longjmp(self->jump_, 1);
  }
  static void read_bytes(png_structp png, png_bytep out, size_t count) {
    auto* self = static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > self->bytes_.size() - self->position_) {
      self->ran_out_ = true;
      png_error(png, "unexpected end");
    }
    std::memcpy(out, self->bytes_.data() + self->position_, count);
    self->position_ += count;
  }

  ByteSpan bytes_;
  size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  char message_[128] = "out of memory";
  bool ran_out_ = false;
  int passes_ = 1;
};

// Rows of all passes into a buffer of `stride` bytes per row; a buffer of one row serves if there is one pass.
bool read_all_rows(Decoder& decoder, uint8_t* buffer, size_t stride, int height) {
  for (int pass = 0; pass < decoder.passes(); ++pass) {
    for (int y = 0; y < height; ++y) {
      if (!decoder.read_row(buffer + static_cast<size_t>(y) * stride)) return false;
    }
  }
  return true;
}

// Refuses a short file that claims to be huge before memory is taken for it.
Result<Header> checked_header(ByteSpan bytes, const ImageInfo& info, Decoder& decoder) {
  Result<Header> header = walk_chunks(bytes);
  if (!header) return header;
  if (!decoder.read_header()) return decoder.error();
  if (decoder.width() != static_cast<uint32_t>(info.width) || decoder.height() != static_cast<uint32_t>(info.height)) {
    return damaged("it has two headers");
  }
  const uint64_t bits =
      uint64_t(info.width) * static_cast<uint64_t>(info.bits_per_channel) *
      static_cast<uint64_t>(header.value().color_type == PNG_COLOR_TYPE_PALETTE ? 1 : info.file_channels);
  const uint64_t needed = (bits / 8) * static_cast<uint64_t>(info.height);
  if (header.value().data_bytes * kMaxDeflateRatio < needed) {
    return Error(ErrorKind::invalid_data, fmt::format("truncated PNG: {} bytes of data cannot hold {} x {} pixels",
                                                      header.value().data_bytes, info.width, info.height));
  }
  return header;
}

}  // namespace

bool sniff_png(ByteSpan bytes) { return ByteReader(bytes, ByteOrder::big).matches(0, kSignature); }

Result<ImageInfo> read_png_header(ByteSpan bytes) {
  Result<Header> header = walk_chunks(bytes);
  if (!header) return header.error();
  return header.value().info;
}

Result<Image> decode_png(ByteSpan bytes, const ImageInfo& info, const DecodeOptions&) {
  const auto decoder = std::make_unique<Decoder>(bytes);
  const Result<Header> header = checked_header(bytes, info, *decoder);
  if (!header) return header.error();
  bool has_alpha = false;
  if (!decoder->transform_to_rgb(has_alpha)) return decoder->error();
  Image image(info.width, info.height);
  if (decoder->row_bytes() != (has_alpha ? size_t{4} : size_t{3}) * static_cast<size_t>(info.width)) {
    return damaged("its rows have an unexpected length");
  }
  if (!has_alpha) {
    if (!read_all_rows(*decoder, image.pixels.data(), image.row_samples(), info.height)) return decoder->error();
  } else if (decoder->passes() == 1) {
    std::vector<uint8_t> row(decoder->row_bytes());
    for (int y = 0; y < info.height; ++y) {
      if (!decoder->read_row(row.data())) return decoder->error();
      composite_rgba_over_white(row.data(), image.row(y), static_cast<size_t>(info.width));
    }
  } else {
    std::vector<uint8_t> rgba(decoder->row_bytes() * static_cast<size_t>(info.height));
    if (!read_all_rows(*decoder, rgba.data(), decoder->row_bytes(), info.height)) return decoder->error();
    composite_rgba_over_white(rgba.data(), image.pixels.data(), rgba.size() / 4);
  }
  if (!decoder->finish()) return decoder->error();
  return image;
}

Result<Image16> decode_png_grey16(ByteSpan bytes, const ImageInfo& info) {
  const auto decoder = std::make_unique<Decoder>(bytes);
  const Result<Header> header = checked_header(bytes, info, *decoder);
  if (!header) return header.error();
  if (!decoder->transform_to_grey()) return decoder->error();
  Image16 image(info.width, info.height, 1);
  const bool wide = info.bits_per_channel == 16;
  if (decoder->row_bytes() != image.row_samples() * (wide ? 2 : 1))
    return damaged("its rows have an unexpected length");
  std::vector<uint8_t> rows(decoder->row_bytes() * static_cast<size_t>(info.height));
  if (!read_all_rows(*decoder, rows.data(), decoder->row_bytes(), info.height)) return decoder->error();
  if (!decoder->finish()) return decoder->error();
  if (wide) {
    std::memcpy(image.pixels.data(), rows.data(), rows.size());
  } else {
    const unsigned factor = 65535u / ((1u << info.bits_per_channel) - 1u);  // 1, 2, 4 and 8 bits divide it evenly
    for (size_t i = 0; i < rows.size(); ++i) image.pixels[i] = static_cast<uint16_t>(rows[i] * factor);
  }
  return image;
}

}  // namespace sensorium::media::detail
