#include "server/routes/file_store.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <span>
#include <tuple>

#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "server/routes/api_error.h"

namespace sensorium::server {
namespace {

constexpr std::string_view kPrefix = "file-", kInfo = ".json", kData = ".data";

std::filesystem::path make_temporary_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "sensorium_files_XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr, ErrorKind::io, "no temporary folder for uploaded files");
  return name;
}

std::string unguessable_id() {
  std::array<uint8_t, 12> random{};
  require(getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()), ErrorKind::io,
          "no random bytes");
  return std::string(kPrefix) + to_hex(random);
}

// Ids are this program's own: no other text becomes a path.
bool is_id(std::string_view id) {
  return id.size() == kPrefix.size() + 24 && id.starts_with(kPrefix) &&
         id.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

ApiError missing(const std::string& id) {
  return {404, fmt::format("there is no file \"{}\"", repair_utf8(id.substr(0, 80))), "file_not_found", "file_id"};
}

StoredFile read_info(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  ConfigReader reader(json, path.string());
  return {.id = reader.get<std::string>("id"),
          .name = reader.get<std::string>("filename"),
          .purpose = reader.get<std::string>("purpose"),
          .owner = reader.get<std::string>("owner"),
          .bytes = reader.get<int64_t>("bytes"),
          .created_s = reader.get<int64_t>("created_at")};
}

}  // namespace

FileStore::FileStore(std::filesystem::path folder, int64_t max_bytes)
    : folder_(std::move(folder)), temporary_(folder_.empty()), max_bytes_(max_bytes) {
  if (temporary_) folder_ = make_temporary_folder();
  std::error_code code;
  std::filesystem::create_directories(folder_, code);
  require(!code, ErrorKind::io, "{}: cannot be created: {}", folder_.string(), code.message());
}

FileStore::~FileStore() {
  std::error_code ignored;
  if (temporary_) std::filesystem::remove_all(folder_, ignored);
}

StoredFile FileStore::add(const std::string& owner, const std::string& name, const std::string& purpose,
                          std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  int64_t total = static_cast<int64_t>(bytes.size());
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::error_code gone;
    const auto size = entry.file_size(gone);
    if (!gone) total += static_cast<int64_t>(size);
  }
  if (total > max_bytes_) throw ApiError(413, "the server's storage for files is full; delete some", "storage_full");
  const StoredFile file{.id = unguessable_id(),
                        .name = repair_utf8(name.substr(0, 255)),
                        .purpose = repair_utf8(purpose.substr(0, 64)),
                        .owner = owner,
                        .bytes = static_cast<int64_t>(bytes.size()),
                        .created_s = std::time(nullptr)};
  const Json info = {{"id", file.id},  {"filename", file.name}, {"purpose", file.purpose},
                     {"owner", owner}, {"bytes", file.bytes},   {"created_at", file.created_s}};
  try {
    // The description comes last: without it a file does not exist.
    write_file_atomic(folder_ / (file.id + std::string(kData)), bytes);
    write_file_atomic(folder_ / (file.id + std::string(kInfo)),
                      info.dump(-1, ' ', false, Json::error_handler_t::replace));
  } catch (const Error& error) {
    log_warning("an upload cannot be stored: {}", error.message());
    std::error_code ignored;
    std::filesystem::remove(folder_ / (file.id + std::string(kData)), ignored);
    throw ApiError(507, "the server cannot store the file", "storage_full");
  }
  return file;
}

std::vector<StoredFile> FileStore::list(const std::string& owner) const {
  std::vector<StoredFile> files;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() != kInfo) continue;
    try {
      StoredFile file = read_info(entry.path());
      if (file.owner == owner) files.push_back(std::move(file));
    } catch (const Error& error) {
      log_warning("{}", error.message());
    }
  }
  std::ranges::sort(files, [](const StoredFile& a, const StoredFile& b) {
    return std::tie(b.created_s, b.id) < std::tie(a.created_s, a.id);
  });
  return files;
}

StoredFile FileStore::info(const std::string& owner, const std::string& id) const {
  std::error_code ignored;
  const std::filesystem::path path = folder_ / (id + std::string(kInfo));
  if (!is_id(id) || !std::filesystem::exists(path, ignored)) throw missing(id);
  StoredFile file = read_info(path);
  if (file.owner != owner) throw missing(id);
  return file;
}

std::string FileStore::read(const std::string& owner, const std::string& id) const {
  (void)info(owner, id);
  return read_file(folder_ / (id + std::string(kData)));
}

void FileStore::remove(const std::string& owner, const std::string& id) {
  (void)info(owner, id);
  std::error_code ignored;
  std::filesystem::remove(folder_ / (id + std::string(kInfo)), ignored);
  std::filesystem::remove(folder_ / (id + std::string(kData)), ignored);
}

}  // namespace sensorium::server
