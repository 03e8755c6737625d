#include "media/encode.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace sensorium::media {
namespace {

// As in the decoders: the libraries report errors by a long jump to the method that called them; no objects with
// destructors live between.
class PngEncoder {
 public:
  PngEncoder() = default;
  ~PngEncoder() { png_destroy_write_struct(&png_, &info_); }
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;

  bool encode(const void* pixels, int width, int height, int channels, int bits, int compression, size_t row_bytes) {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {});
    if (png_ == nullptr) return false;
    if (setjmp(jump_)) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return false;
    png_set_write_fn(png_, this, write_bytes, [](png_structp) {});
    png_set_compression_level(png_, compression);
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), bits,
                 channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    if (bits == 16 && std::endian::native == std::endian::little) png_set_swap(png_);
    for (int y = 0; y < height; ++y) {
      png_write_row(png_, static_cast<png_const_bytep>(pixels) + static_cast<size_t>(y) * row_bytes);
    }
    png_write_end(png_, info_);
    return true;
  }
  std::string take() { return std::move(out_); }
  const char* message() const { return message_; }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngEncoder*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof(self->message_), "%s", message);
    std::longjmp(self->jump_, 1);
  }
  static void write_bytes(png_structp png, png_bytep bytes, size_t count) {
    auto* self = static_cast<PngEncoder*>(png_get_io_ptr(png));
    bool failed = false;
    try {
      self->out_.append(reinterpret_cast<const char*>(bytes), count);
    } catch (const std::bad_alloc&) {
      failed = true;  // must not fly through libpng's frames
    }
    if (failed) png_error(png, "out of memory");
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  std::string out_;
  char message_[128] = "out of memory";
};

class JpegEncoder {
 public:
  JpegEncoder() {
    state_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = [](j_common_ptr state) {
      auto* error = reinterpret_cast<ErrorManager*>(state->err);
      error->base.format_message(state, error->message);
      std::longjmp(error->jump, 1);
    };
    error_.base.output_message = [](j_common_ptr) {};
  }
  ~JpegEncoder() {
    jpeg_destroy_compress(&state_);
    std::free(bytes_);
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  bool encode(const Image& image, int quality) {
    if (setjmp(error_.jump)) return false;
    jpeg_create_compress(&state_);
    jpeg_mem_dest(&state_, &bytes_, &size_);
    state_.image_width = static_cast<JDIMENSION>(image.width);
    state_.image_height = static_cast<JDIMENSION>(image.height);
    state_.input_components = image.channels;
    state_.in_color_space = image.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&state_);
    jpeg_set_quality(&state_, quality, TRUE);
    constexpr int kFullChromaQuality = 90;
    if (image.channels == 3 && quality >= kFullChromaQuality) {
      state_.comp_info[0].h_samp_factor = state_.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&state_, TRUE);
    while (state_.next_scanline < state_.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(state_.next_scanline)));
      jpeg_write_scanlines(&state_, &row, 1);
    }
    jpeg_finish_compress(&state_);
    return true;
  }
  std::string result() const { return std::string(reinterpret_cast<const char*>(bytes_), size_); }
  const char* message() const { return error_.message; }

 private:
  struct ErrorManager {
    jpeg_error_mgr base;  // first, so that the library's pointer is ours
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
  };
  ErrorManager error_{};
  jpeg_compress_struct state_{};
  unsigned char* bytes_ = nullptr;  // from malloc, in jpeg_mem_dest
  unsigned long size_ = 0;
};

template <typename Sample>
std::string encode_png_samples(const BasicImage<Sample>& image, int compression) {
  require(!image.empty(), ErrorKind::shape, "encode_png: the picture is empty");
  require(compression >= 0 && compression <= 9, ErrorKind::usage, "PNG compression {}; want 0..9", compression);
  const auto encoder = std::make_unique<PngEncoder>();
  if (!encoder->encode(image.pixels.data(), image.width, image.height, image.channels, 8 * sizeof(Sample), compression,
                       image.row_samples() * sizeof(Sample))) {
    fail(ErrorKind::unsupported, "cannot write a PNG of {} x {} pixels: {}", image.width, image.height,
         encoder->message());
  }
  return encoder->take();
}

}  // namespace

std::string encode_png(const Image& image, int compression) { return encode_png_samples(image, compression); }
std::string encode_png(const Image16& image, int compression) { return encode_png_samples(image, compression); }

std::string encode_jpeg(const Image& image, int quality) {
  require(!image.empty(), ErrorKind::shape, "encode_jpeg: the picture is empty");
  require(quality >= 1 && quality <= 100, ErrorKind::usage, "JPEG quality {}; want 1..100", quality);
  const auto encoder = std::make_unique<JpegEncoder>();
  if (!encoder->encode(image, quality)) {
    fail(ErrorKind::unsupported, "cannot write a JPEG of {} x {} pixels: {}", image.width, image.height,
         encoder->message());
  }
  return encoder->result();
}

void save_image(const Image& image, const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".png") return write_file_atomic(path, encode_png(image));
  if (extension == ".jpg" || extension == ".jpeg") return write_file_atomic(path, encode_jpeg(image));
  fail(ErrorKind::usage, "{}: cannot write pictures with the extension \"{}\"; want .png, .jpg or .jpeg", path.string(),
       extension);
}

}  // namespace sensorium::media
