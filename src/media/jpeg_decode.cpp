// JPEG (ITU-T T.81) through libjpeg-turbo.
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>
// (jerror.h needs jpeglib.h before it.)
#include <jerror.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "media/byte_reader.h"
#include "media/codec.h"
#include "media/exif.h"

namespace sensorium::media::detail {
namespace {

enum Marker : uint32_t {
  kTem = 0x01,
  kSof0 = 0xC0,
  kDht = 0xC4,
  kJpg = 0xC8,
  kDac = 0xCC,
  kSof15 = 0xCF,
  kRst0 = 0xD0,
  kRst7 = 0xD7,
  kSoi = 0xD8,
  kEoi = 0xD9,
  kSos = 0xDA,
  kApp1 = 0xE1,
};

bool is_frame_header(uint32_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

Error truncated(size_t bytes) {
  return Error(ErrorKind::invalid_data, fmt::format("truncated JPEG: the data end after {} bytes", bytes));
}

// libjpeg reports errors by calling error_exit, which must not return: it jumps back into the Decoder method that
// called the library. Between the two there are only C frames and, in the methods, no objects with destructors.
struct ErrorManager {
  jpeg_error_mgr base;  // first, so that the library's pointer is ours
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  int code;
  bool hit_marker;  // entropy-coded data ended early and the rest was made up
  bool corrupt;     // `message` says what in the coded data cannot be; the library made up pixels and went on
};

// Warnings of the library after which pixels are wrong. Others are about what surrounds the picture (superfluous bytes
// before a marker, unknown Adobe transforms) and change none.
bool spoils_pixels(int warning) {
  return warning == JWRN_HIT_MARKER || warning == JWRN_HUFF_BAD_CODE || warning == JWRN_ARITH_BAD_CODE ||
         warning == JWRN_MUST_RESYNC || warning == JWRN_BOGUS_PROGRESSION;
}

struct Source {
  jpeg_source_mgr base;
  bool exhausted;
};

constexpr JOCTET kFakeEoi[2] = {0xFF, kEoi};

// A progressive file can hold any number of scans, each of which costs a pass over all coefficients; encoders write
// about ten.
constexpr int kMaxScans = 500;

class Decoder {
 public:
  explicit Decoder(ByteSpan bytes) : bytes_(bytes) {
    state_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = [](j_common_ptr state) {
      auto* error = reinterpret_cast<ErrorManager*>(state->err);
      error->code = error->base.msg_code;
      error->base.format_message(state, error->message);
      std::longjmp(error->jump, 1);
    };
    error_.base.emit_message = [](j_common_ptr state, int) {
      auto* error = reinterpret_cast<ErrorManager*>(state->err);
      if (error->base.msg_code == JWRN_HIT_MARKER) error->hit_marker = true;
      if (spoils_pixels(error->base.msg_code) && !error->corrupt) {
        error->base.format_message(state, error->message);
        error->corrupt = true;
      }
    };
    error_.base.output_message = [](j_common_ptr) {};
    source_.base.init_source = [](j_decompress_ptr) {};
    source_.base.term_source = [](j_decompress_ptr) {};
    source_.base.resync_to_restart = jpeg_resync_to_restart;
    source_.base.skip_input_data = [](j_decompress_ptr state, long count) {
      jpeg_source_mgr* source = state->src;
      if (count <= 0) return;
      const size_t skipped = std::min(static_cast<size_t>(count), source->bytes_in_buffer);
      source->next_input_byte += skipped;
      source->bytes_in_buffer -= skipped;
      if (skipped < static_cast<size_t>(count)) source->fill_input_buffer(state);
    };
    // At the end of the data: an end marker, so that the decoder stops, and a note that it was not in the file.
    source_.base.fill_input_buffer = [](j_decompress_ptr state) -> boolean {
      auto* source = reinterpret_cast<Source*>(state->src);
      source->exhausted = true;
      source->base.next_input_byte = kFakeEoi;
      source->base.bytes_in_buffer = sizeof(kFakeEoi);
      return TRUE;
    };
    source_.base.next_input_byte = bytes_.data();
    source_.base.bytes_in_buffer = bytes_.size();
    progress_.progress_monitor = [](j_common_ptr state) {
      if (!state->is_decompressor) return;
      const auto* decompress = reinterpret_cast<j_decompress_ptr>(state);
      if (decompress->input_scan_number > kMaxScans) {
        auto* error = reinterpret_cast<ErrorManager*>(state->err);
        error->code = 0;
        std::snprintf(error->message, sizeof(error->message), "more than %d scans", kMaxScans);
        std::longjmp(error->jump, 1);
      }
    };
  }
  ~Decoder() { jpeg_destroy_decompress(&state_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header() {
    if (setjmp(error_.jump)) return false;
    jpeg_create_decompress(&state_);
    state_.src = &source_.base;
    state_.progress = &progress_;
    jpeg_read_header(&state_, TRUE);
    return true;
  }
  bool start(J_COLOR_SPACE color, int scale_denominator) {
    if (setjmp(error_.jump)) return false;
    state_.out_color_space = color;
    state_.scale_num = 1;
    state_.scale_denom = static_cast<unsigned>(scale_denominator);
    jpeg_start_decompress(&state_);
    return true;
  }
  // Reads some of the next rows (at least one) into the given memory.
  bool read_rows(JSAMPROW* rows, unsigned count) {
    if (setjmp(error_.jump)) return false;
    return jpeg_read_scanlines(&state_, rows, count) > 0;
  }
  // Blocks of 8 x 8 samples over all components.
  uint64_t blocks() const {
    uint64_t count = 0;
    for (int i = 0; i < state_.num_components; ++i) {
      count += uint64_t{state_.comp_info[i].width_in_blocks} * state_.comp_info[i].height_in_blocks;
    }
    return count;
  }
  bool has_multiple_scans() const { return state_.comps_in_scan < state_.num_components || state_.progressive_mode; }
  // Whether pixels were made up because data were missing. A file that lacks only its end marker is whole; with several
  // scans or arithmetic coding the library cannot tell the two apart.
  bool ran_out() const { return source_.exhausted && (error_.hit_marker || has_multiple_scans() || state_.arith_code); }

  bool is_corrupt() const { return error_.corrupt; }

  Error error() const {
    if (source_.exhausted) return truncated(bytes_.size());
    const bool unsupported = error_.code == JERR_SOF_UNSUPPORTED || error_.code == JERR_BAD_PRECISION ||
                             error_.code == JERR_ARITH_NOTIMPL || error_.code == JERR_CONVERSION_NOTIMPL;
    std::string_view message = error_.message;
    constexpr std::string_view kWarning = "Corrupt JPEG data: ";
    if (message.starts_with(kWarning)) message.remove_prefix(kWarning.size());
    return Error(unsupported ? ErrorKind::unsupported : ErrorKind::invalid_data,
                 fmt::format("{} JPEG: {}", unsupported ? "unsupported" : "damaged", message));
  }
  const jpeg_decompress_struct& state() const { return state_; }

 private:
  ByteSpan bytes_;
  ErrorManager error_{};
  Source source_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct state_{};
};

// Adobe programs store CMYK inverted (255 is no ink), and no others write it. Without a colour profile, as Pillow:
// the light that the inks of C, M or Y let through, times that of K.
void convert_cmyk_row(const uint8_t* cmyk, uint8_t* rgb, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const unsigned white = cmyk[i * 4 + 3];
    for (size_t c = 0; c < 3; ++c) {
      const unsigned product = (255u - cmyk[i * 4 + c]) * white + 128u;
      const unsigned ink = (product + (product >> 8)) >> 8;
      rgb[i * 3 + c] = static_cast<uint8_t>(white > ink ? white - ink : 0u);
    }
  }
}

// The largest of 8, 4, 2 by which the shorter side can shrink and keep `min_side` pixels; 1 if none.
int scale_denominator(unsigned shorter_side, int min_side) {
  if (min_side <= 0) return 1;
  for (unsigned denominator : {8u, 4u, 2u}) {
    if (shorter_side / denominator >= static_cast<unsigned>(min_side)) return static_cast<int>(denominator);
  }
  return 1;
}

}  // namespace

bool sniff_jpeg(ByteSpan bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == kSoi && bytes[2] == 0xFF;
}

// Walks the marker segments (T.81, B.1.1.4) up to the first scan.
Result<ImageInfo> read_jpeg_header(ByteSpan bytes) {
  const ByteReader reader(bytes, ByteOrder::big);
  ImageInfo info;
  bool has_frame = false, has_exif = false;
  for (size_t at = 2;;) {
    // Bytes that are no marker are skipped, and so are the fill bytes 0xFF before one.
    while (at < bytes.size() && bytes[at] != 0xFF) ++at;
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at >= bytes.size()) return truncated(bytes.size());
    const uint32_t marker = bytes[at++];
    if (marker == 0 || marker == kTem || marker == kSoi || (marker >= kRst0 && marker <= kRst7)) continue;
    if (marker == kSos && has_frame) return info;
    if (marker == kEoi || marker == kSos) {
      return Error(ErrorKind::invalid_data, "damaged JPEG: there is no frame header before the picture's data");
    }
    const auto length = reader.u16(at);
    if (!length) return truncated(bytes.size());
    if (*length < 2) return Error(ErrorKind::invalid_data, "damaged JPEG: a segment is shorter than its own length");
    if (!reader.holds(at, *length)) return truncated(bytes.size());
    const ByteReader segment(reader.slice(at + 2, *length - 2u), ByteOrder::big);
    if (is_frame_header(marker) && !has_frame) {
      const auto precision = segment.u8(0), height = segment.u16(1), width = segment.u16(3), channels = segment.u8(5);
      if (!channels) return Error(ErrorKind::invalid_data, "damaged JPEG: the frame header is too short");
      info.width = static_cast<int>(*width);
      info.height = static_cast<int>(*height);
      info.file_channels = static_cast<int>(*channels);
      info.bits_per_channel = static_cast<int>(*precision);
      has_frame = true;
    } else if (marker == kApp1 && !has_exif && segment.matches(0, std::string_view("Exif\0\0", 6))) {
      info.orientation = exif_orientation(reader.slice(at + 2, *length - 2u));
      has_exif = true;
    }
    at += *length;
  }
}

Result<Image> decode_jpeg(ByteSpan bytes, const ImageInfo& info, const DecodeOptions& options) {
  const auto decoder = std::make_unique<Decoder>(bytes);
  if (!decoder->read_header()) return decoder->error();
  const jpeg_decompress_struct& state = decoder->state();
  if (state.image_width != static_cast<unsigned>(info.width) ||
      state.image_height != static_cast<unsigned>(info.height)) {
    return Error(ErrorKind::invalid_data, "damaged JPEG: it has two frame headers of different sizes");
  }
  // Every block takes at least one bit of Huffman code: a short file that claims to be huge is refused at once.
  if (!state.arith_code && decoder->blocks() > uint64_t{bytes.size()} * 8) {
    return Error(ErrorKind::invalid_data, fmt::format("truncated JPEG: {} bytes cannot hold {} x {} pixels",
                                                      bytes.size(), info.width, info.height));
  }
  const bool cmyk = state.jpeg_color_space == JCS_CMYK || state.jpeg_color_space == JCS_YCCK;
  const int denominator = scale_denominator(std::min(state.image_width, state.image_height), options.min_side_hint);
  if (!decoder->start(cmyk ? JCS_CMYK : JCS_RGB, denominator)) return decoder->error();

  Image image(static_cast<int>(state.output_width), static_cast<int>(state.output_height));
  std::vector<uint8_t> cmyk_row(cmyk ? size_t{state.output_width} * 4 : 0);
  while (state.output_scanline < state.output_height) {
    constexpr unsigned kMaxRows = 16;
    std::array<JSAMPROW, kMaxRows> rows;
    const unsigned first = state.output_scanline;
    const unsigned count = cmyk ? 1 : std::min(kMaxRows, state.output_height - first);
    for (unsigned i = 0; i < count; ++i) rows[i] = cmyk ? cmyk_row.data() : image.row(static_cast<int>(first + i));
    if (!decoder->read_rows(rows.data(), count)) return decoder->error();
    if (cmyk) convert_cmyk_row(cmyk_row.data(), image.row(static_cast<int>(first)), state.output_width);
  }
  if (decoder->ran_out()) return truncated(bytes.size());
  if (decoder->is_corrupt()) return decoder->error();
  return image;
}

}  // namespace sensorium::media::detail
