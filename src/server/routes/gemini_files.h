// Uploads as Google's clients make them: announced first, then sent in pieces to an address of their own.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kUploadFields = std::to_array<Field>({
    {"file", kObject, false, "{displayName, mimeType}"},
});

// Uploads that have begun; forgotten after ten minutes without a piece. Thread-safe.
class UploadSessions {
 public:
  struct Upload {
    std::string owner, name, type;
    std::string bytes;
    std::chrono::steady_clock::time_point touched;
  };

  // The upload's id, which nobody can guess: whoever has it may go on. Throws ApiError(429) where too many have begun.
  std::string begin(Upload upload);
  // Adds a piece at `offset`; where it is the last, the whole upload leaves. Throws ApiError: 404, 400 (another offset), 413.
  std::optional<Upload> add(const std::string& id, int64_t offset, std::string_view piece, bool last);

 private:
  void forget_old();

  std::mutex mutex_;
  std::map<std::string, Upload> uploads_;
};

void begin_upload(Call& call);
void continue_upload(Call& call);

}  // namespace sensorium::server
