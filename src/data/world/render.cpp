#include "data/world/render.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "data/world/shading.h"
#include "media/color.h"

namespace sensorium::data {
namespace {

class Painter {
 public:
  explicit Painter(Scene& scene)
      : scene_(scene), rasterizer_(scene.width, scene.height), image_(scene.width, scene.height) {
    owner_.assign(static_cast<size_t>(scene.width) * static_cast<size_t>(scene.height), 0);
    covered_.assign(scene.things.size(), 0);
  }

  Rendering run() {
    paint_background();
    for (size_t i = 0; i < scene_.things.size(); ++i) {
      for (const Part& part : scene_.things[i].parts) paint_part(part, i);
    }
    measure();
    return {std::move(image_), std::move(owner_)};
  }

 private:
  void paint_background() {
    const Shader shader(scene_.background, {0, 0}, {float(scene_.width), float(scene_.height)});
    const std::vector<uint8_t> full(static_cast<size_t>(scene_.width), 255);
    for (int y = 0; y < scene_.height; ++y) shader.blend_row(y, 0, full, image_.row(y));
  }

  void paint_part(const Part& part, size_t thing) {
    const CoverageMask& mask =
        part.form == Form::polygon ? rasterizer_.polygon(part.lines) : rasterizer_.stroke(part.lines, part.pen_width);
    if (mask.width == 0) return;
    Vec2 low{1e9f, 1e9f}, high{-1e9f, -1e9f};
    for (const std::vector<Vec2>& line : part.lines) {
      for (const Vec2 p : line) {
        low = {std::min(low.x, p.x), std::min(low.y, p.y)};
        high = {std::max(high.x, p.x), std::max(high.y, p.y)};
      }
    }
    const Shader shader(part.paint, low, high);
    const uint16_t id = static_cast<uint16_t>(thing + 1);
    // Light and shade on a thing (a highlight, a translucent rim) are part of it; a thin film over others is not.
    const bool owns = part.ghost || part.paint.opacity >= 0.5f;
    for (int y = mask.y0; y < mask.y0 + mask.height; ++y) {
      const std::span<const uint8_t> row(mask.row(y), static_cast<size_t>(mask.width));
      if (!part.ghost) shader.blend_row(y, mask.x0, row, image_.at(mask.x0, y));
      if (!owns) continue;
      uint16_t* const owner = owner_.data() + static_cast<size_t>(y) * static_cast<size_t>(scene_.width) + mask.x0;
      for (size_t x = 0; x < row.size(); ++x) {
        if (row[x] < 64 || owner[x] == id) continue;
        owner[x] = id;
        ++covered_[thing];
      }
    }
  }

  void measure() {
    for (Thing& thing : scene_.things) {
      thing.box = {float(scene_.width), float(scene_.height), 0, 0};
      thing.visible_pixels = 0;
    }
    const uint16_t* owner = owner_.data();
    for (int y = 0; y < scene_.height; ++y) {
      for (int x = 0; x < scene_.width; ++x, ++owner) {
        if (*owner == 0) continue;
        Thing& thing = scene_.things[*owner - 1u];
        thing.box = {std::min(thing.box[0], float(x)), std::min(thing.box[1], float(y)),
                     std::max(thing.box[2], float(x + 1)), std::max(thing.box[3], float(y + 1))};
        ++thing.visible_pixels;
      }
    }
    for (size_t i = 0; i < scene_.things.size(); ++i) {
      Thing& thing = scene_.things[i];
      if (thing.visible_pixels == 0) thing.box = {};
      thing.visible_share = covered_[i] == 0 ? 0.0f : float(thing.visible_pixels) / float(covered_[i]);
    }
  }

  Scene& scene_;
  Rasterizer rasterizer_;
  media::Image image_;
  std::vector<uint16_t> owner_;
  std::vector<int> covered_;  // per thing: pixels it covers, seen or not
};

void develop(const Camera& camera, media::Image& image) {
  const float tint[3] = {camera.tint.r / 255, camera.tint.g / 255, camera.tint.b / 255};
  // value -> developed value in 1/256ths, per channel
  std::vector<int> curve(3 * 256);
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      const float lit = ((float(v) - 128) * camera.contrast + 128) * camera.brightness * tint[c];
      curve[static_cast<size_t>(c * 256 + v)] = int(std::clamp(lit, 0.0f, 255.0f) * 256);
    }
  }
  Rng rng(camera.seed);
  uint64_t state = rng.next() | 1;
  const int amplitude = int(camera.noise);
  const float center_x = 0.5f * float(image.width), center_y = 0.5f * float(image.height);
  const float corner2 = center_x * center_x + center_y * center_y;
  for (int y = 0; y < image.height; ++y) {
    uint8_t* pixel = image.row(y);
    const float dy = float(y) + 0.5f - center_y;
    for (int x = 0; x < image.width; ++x, pixel += 3) {
      const float dx = float(x) + 0.5f - center_x;
      const int light = int(256 * (1 - camera.vignette * (dx * dx + dy * dy) / corner2));
      state ^= state << 13;  // xorshift64 (Marsaglia 2003)
      state ^= state >> 7;
      state ^= state << 17;
      for (int c = 0; c < 3; ++c) {
        // The sum of two bytes: a triangular distribution, about normal, in -255..255.
        const int noise = int((state >> (16 * c)) & 255) + int((state >> (16 * c + 8)) & 255) - 255;
        const int value = curve[static_cast<size_t>(c * 256 + pixel[c])] * light + noise * amplitude * 256;
        pixel[c] = static_cast<uint8_t>(std::clamp((value + (1 << 15)) >> 16, 0, 255));
      }
    }
  }
}

}  // namespace

Rendering render_picture(Scene& scene) {
  require(scene.things.size() < 65535, ErrorKind::limit, "a scene of {} things; at most 65534", scene.things.size());
  Rendering rendering = Painter(scene).run();
  if (scene.camera.blur_radius > 0) rendering.image = media::box_blur(rendering.image, scene.camera.blur_radius);
  develop(scene.camera, rendering.image);
  return rendering;
}

}  // namespace sensorium::data
