#include <algorithm>
#include <set>

#include "base/interrupt.h"
#include "base/threads.h"
#include "data/dataset.h"
#include "io/npy.h"
#include "media/decode.h"

namespace sensorium::data {
namespace fs = std::filesystem;
namespace {

// Annotation tools round: a pixel over the border is no fault.
constexpr float kBorderPixels = 1;

struct Findings {
  int64_t pictures = 0;
  std::vector<std::string> faults;
  std::vector<std::string> ignored;
};

bool is_picture(const MessagePart& part) {
  // A clip may be frames or one file of video.
  const std::string extension = fs::path(part.value).extension().string();
  const bool frame =
      part.kind == PartKind::video && (extension == ".jpg" || extension == ".jpeg" || extension == ".png");
  return part.kind == PartKind::image || part.kind == PartKind::thermal || part.kind == PartKind::depth || frame;
}

// A picture of another camera than its field says is read without complaint and means something else.
void check_camera(const MessagePart& part, const media::ImageInfo& info, Findings& findings) {
  const bool counts = info.bits_per_channel == 16 && info.file_channels == 1;
  if (part.kind == PartKind::image && counts) {
    findings.faults.push_back(fmt::format(
        "{}: is grey of 16 bits, as thermal and depth cameras write it: name it \"thermal\" or \"depth\"", part.value));
  }
  if (part.kind == PartKind::depth && !counts) {
    findings.faults.push_back(fmt::format("{}: has {} bits in {} channels, distances are grey of 16 bits", part.value,
                                          info.bits_per_channel, info.file_channels));
  }
}

// Frames that cannot be read have been named already.
void check_frames(const Record& record, Findings& findings) try {
  if (record.frames.empty()) return;
  const media::ImageInfo first = media::load_image_info(record.frames.front());
  for (const std::string& frame : record.frames) {
    const media::ImageInfo info = media::load_image_info(frame);
    if (info.width == first.width && info.height == first.height) continue;
    findings.faults.push_back(fmt::format("{} is {} x {}, the film's first frame {} x {}", frame, info.width,
                                          info.height, first.width, first.height));
  }
} catch (const Error& error) {
  if (error.kind() == ErrorKind::interrupted) throw;
}

void check_media(const MessagePart& part, const Record& record, PictureCheck pictures, Findings& findings) {
  if (is_picture(part)) {
    ++findings.pictures;
    const media::ImageInfo info = media::load_image_info(part.value);
    if (pictures == PictureCheck::decode) (void)media::load_image(part.value);
    check_camera(part, info, findings);
    if (part.value != record.image) return;
    if (record.width > 0 && record.height > 0 && (record.width != info.width || record.height != info.height)) {
      findings.faults.push_back(fmt::format("{} is {} x {}, the record says {} x {}", part.value, info.width,
                                            info.height, record.width, record.height));
    }
    for (const MarkedBox& box : record.boxes.value_or(std::vector<MarkedBox>{})) {
      if (box.x0 < -kBorderPixels || box.y0 < -kBorderPixels ||
          box.x1 > static_cast<float>(info.width) + kBorderPixels ||
          box.y1 > static_cast<float>(info.height) + kBorderPixels) {
        findings.faults.push_back(fmt::format("a box of \"{}\", [{}, {}, {}, {}], lies outside the picture of {} x {}",
                                              box.label, box.x0, box.y0, box.x1, box.y1, info.width, info.height));
      }
    }
  } else if (fs::path(part.value).extension() == ".npy") {
    (void)io::read_npy(part.value);
  } else if (part.kind != PartKind::text) {
    std::error_code code;
    const uintmax_t bytes = fs::file_size(part.value, code);
    if (code) findings.faults.push_back(fmt::format("{}: {}", part.value, code.message()));
    if (!code && bytes == 0) findings.faults.push_back(fmt::format("{}: is empty", part.value));
  }
}

void check_counts(const Record& record, Findings& findings) {
  if (!record.boxes || record.count.empty()) return;
  std::map<std::string, int> boxes;
  for (const MarkedBox& box : *record.boxes) ++boxes[box.label];
  for (const auto& [label, count] : record.count) {
    const auto marked = boxes.find(label);
    const int found = marked == boxes.end() ? 0 : marked->second;
    if (found != count)
      findings.faults.push_back(fmt::format("{} boxes of \"{}\", but its count is {}", found, label, count));
  }
  for (const auto& [label, found] : boxes) {
    if (!record.count.contains(label))
      findings.faults.push_back(fmt::format("{} boxes of \"{}\", but no count of it", found, label));
  }
}

Findings examine(const Dataset& dataset, int64_t index, PictureCheck pictures) {
  Findings findings;
  const auto guarded = [&](auto&& check) {
    try {
      check();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      std::string what = error.message();
      const std::string place = dataset.where(index) + ": ";
      if (what.starts_with(place)) what.erase(0, place.size());
      findings.faults.push_back(std::move(what));
    }
  };
  guarded([&] {
    Record record = dataset.get(index);
    std::vector<MessagePart> media = record.media;
    for (const Message& message : record.messages)
      media.insert(media.end(), message.parts.begin(), message.parts.end());
    for (const MessagePart& part : media) {
      guarded([&] { check_media(part, record, pictures, findings); });
    }
    check_frames(record, findings);
    check_counts(record, findings);
    findings.ignored = std::move(record.ignored);
  });
  return findings;
}

}  // namespace

ValidationReport validate_dataset(const fs::path& path, size_t max_faults, PictureCheck pictures,
                                  const DatasetOptions& options) {
  const std::unique_ptr<Dataset> dataset = open_dataset(path, options);
  ValidationReport report;
  report.records = dataset->size();
  // By rounds, so that the faults come in order and memory stays flat.
  constexpr int64_t kRound = 4096, kGrain = 16;
  for (int64_t first = 0; first < dataset->size(); first += kRound) {
    std::vector<Findings> round(static_cast<size_t>(std::min(kRound, dataset->size() - first)));
    parallel_for(static_cast<int64_t>(round.size()), kGrain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        check_interrupted();
        round[static_cast<size_t>(i)] = examine(*dataset, first + i, pictures);
      }
    });
    for (size_t i = 0; i < round.size(); ++i) {
      report.pictures += round[i].pictures;
      if (!round[i].faults.empty()) ++report.faulty;
      for (const std::string& field : round[i].ignored) ++report.ignored_fields[field];
      for (std::string& what : round[i].faults) {
        if (report.faults.size() < max_faults) {
          report.faults.push_back({dataset->where(first + static_cast<int64_t>(i)), std::move(what)});
        }
      }
    }
  }
  return report;
}

}  // namespace sensorium::data
