// Memory: how much of it this process can still take, and blocks of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace sensorium {

// Bytes: what the kernel estimates to be available without swapping (MemAvailable of /proc/meminfo), and not more than the
// limits of the control groups (version 1 or 2) that the process is in leave, whose caches of files count as free. None if
// the system does not say. `root`: where proc/ and sys/ are, for tests.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

// Uninitialised memory, aligned to 64 bytes. Large blocks ask for huge pages: a matrix product walks many rows at once, each on
// a page of its own, and runs out of entries for their addresses. nullptr if there is not enough.
void* allocate_block(size_t bytes) noexcept;
void free_block(void* block, size_t bytes) noexcept;  // `bytes` as asked for

// The pages of a MappedFile that lie wholly within `bytes` leave this process's memory, until they are touched again.
void drop_pages(std::span<const std::byte> bytes);

// "512 MB", "13.5 GB" (powers of ten).
std::string bytes_text(int64_t bytes);

}  // namespace sensorium
