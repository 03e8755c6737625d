#include "base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <new>
#include <sstream>

namespace sensorium {
namespace {

namespace fs = std::filesystem;

// Files of /proc and /sys have no size: they are read to their end. "" if there is none.
std::string read_virtual_file(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return std::move(text).str();
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// The number behind `key` at the beginning of a line.
std::optional<int64_t> number_of(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t digits = line.find_first_not_of(" \t", key.size());
    if (digits != std::string::npos) return parse_number(std::string_view(line).substr(digits));
  }
  return std::nullopt;
}

struct GroupFiles {
  const char *limit, *usage;
};

// What a control group leaves; none if it has no limit.
std::optional<int64_t> left_in_group(const fs::path& group, const GroupFiles& files) {
  const std::optional<int64_t> limit = parse_number(read_virtual_file(group / files.limit));  // "max": none
  const std::optional<int64_t> usage = parse_number(read_virtual_file(group / files.usage));
  if (!limit || !usage) return std::nullopt;
  const std::string stat = read_virtual_file(group / "memory.stat");
  const int64_t caches = number_of(stat, "inactive_file ").value_or(0) + number_of(stat, "active_file ").value_or(0);
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, *usage - caches));
}

// The group of `path` and those around it, up to the root of the hierarchy.
int64_t least_left(const fs::path& hierarchy, std::string_view path, const GroupFiles& files) {
  int64_t least = std::numeric_limits<int64_t>::max();
  const fs::path root = hierarchy.lexically_normal();
  for (fs::path group = (hierarchy / fs::path(path).relative_path()).lexically_normal();; group = group.parent_path()) {
    least = std::min(least, left_in_group(group, files).value_or(least));
    if (group == root || !group.has_parent_path() || group == group.parent_path()) return least;
  }
}

}  // namespace

std::optional<int64_t> available_memory(const fs::path& root) {
  int64_t least = std::numeric_limits<int64_t>::max();
  if (const auto kib = number_of(read_virtual_file(root / "proc/meminfo"), "MemAvailable:")) {
    least = std::min(*kib, least / 1024) * 1024;
  }
  // A line is "ID:CONTROLLERS:PATH"; version 2 has no controllers.
  std::istringstream lines(read_virtual_file(root / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1),
                           path = std::string_view(line).substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, least_left(root / "sys/fs/cgroup", path, {"memory.max", "memory.current"}));
    } else if (controllers == "memory") {
      least = std::min(
          least, least_left(root / "sys/fs/cgroup/memory", path, {"memory.limit_in_bytes", "memory.usage_in_bytes"}));
    }
  }
  if (least == std::numeric_limits<int64_t>::max()) return std::nullopt;
  return least;
}

namespace {

constexpr size_t kBlockAlignment = 64, kHugePage = size_t{2} << 20;

std::align_val_t alignment_of(size_t bytes) {
  return std::align_val_t{bytes >= kHugePage ? kHugePage : kBlockAlignment};
}

}  // namespace

void* allocate_block(size_t bytes) noexcept {
  void* block = ::operator new(bytes, alignment_of(bytes), std::nothrow);
  if (block != nullptr && bytes >= kHugePage) ::madvise(block, bytes, MADV_HUGEPAGE);  // a wish: small pages do as well
  return block;
}

void free_block(void* block, size_t bytes) noexcept { ::operator delete(block, alignment_of(bytes)); }

void drop_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (address + page - 1) / page * page, end = (address + bytes.size()) / page * page;
  // A hint: where it fails the pages stay.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::string bytes_text(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.0f} MB", value / 1e6);
  return fmt::format("{:.0f} KB", value / 1e3);
}

}  // namespace sensorium
