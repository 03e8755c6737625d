#include "hub/repository.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sensorium::hub {
namespace {

constexpr size_t kMaxListingBytes = size_t{32} << 20;

bool is_name(std::string_view text) {
  return !text.empty() && !text.starts_with('.') && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

// Names of files that are read beside the weights.
constexpr std::array<std::string_view, 4> kSmall = {".json", ".model", ".jinja", "merges.txt"};

bool is_small(std::string_view path) {
  return std::ranges::any_of(kSmall, [&](std::string_view end) { return path.ends_with(end); });
}
// Weights as another library packs them all in one, besides the shards of the folder's own layout.
bool is_repeated(std::string_view path) { return path.starts_with("consolidated"); }
bool is_safetensors(std::string_view path) { return path.ends_with(".safetensors") && !is_repeated(path); }
bool is_pytorch(std::string_view path) {
  return (path.starts_with("pytorch_model") && path.ends_with(".bin")) || path == "mm_projector.bin";
}

// An index of the format that is not taken would only name files that are missing.
bool is_index(std::string_view path) { return path.ends_with(".index.json"); }

// Bytes of a path as they stand in an address.
std::string escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = is_name(std::string_view("a" + std::string(1, c))) || c == '/' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

PlanFile read_sibling(const Repository& repository, const Json& sibling, const std::string& where) {
  ConfigReader reader(sibling, where);
  PlanFile file{.path = reader.get<std::string>("rfilename")};
  file.url = repository.file_url(file.path);
  const Json given = without_nulls(sibling);
  ConfigReader sizes(given, where);
  if (sizes.has("size")) file.bytes = static_cast<uint64_t>(sizes.get_int("size", 0, int64_t{1} << 50));
  if (sizes.has("lfs")) file.sha256 = ConfigReader(sizes.child("lfs"), where + ": lfs").get<std::string>("sha256");
  return file;
}

}  // namespace

std::string Repository::file_url(const std::string& path) const {
  return fmt::format("{}/{}/resolve/{}/{}", hub, name, revision, escaped(path));
}

Repository make_repository(std::string hub, std::string name, std::string revision) {
  while (hub.ends_with('/')) hub.pop_back();
  require(hub.starts_with("http://") || hub.starts_with("https://"), ErrorKind::usage,
          "the hub is \"{}\", expected an http or https address", hub);
  const size_t slash = name.find('/');
  require(slash != std::string::npos && is_name(std::string_view(name).substr(0, slash)) &&
              is_name(std::string_view(name).substr(slash + 1)),
          ErrorKind::usage, "\"{}\" is no name of a repository, expected OWNER/NAME", name);
  require(is_name(revision), ErrorKind::usage, "\"{}\" is no revision of a repository", revision);
  return {std::move(hub), std::move(name), std::move(revision)};
}

FetchPlan plan_from_listing(const Repository& repository, const std::string& licence, const Json& listing) {
  const std::string where = "the listing of " + repository.name;
  require(listing.is_object() && listing.contains("siblings") && listing.at("siblings").is_array(),
          ErrorKind::invalid_data, "{}: expected an object with a list of \"siblings\"", where);
  ConfigReader reader(listing, where);
  Repository fixed = repository;
  fixed.revision = reader.get_or<std::string>("sha", repository.revision);
  require(is_name(fixed.revision), ErrorKind::invalid_data, "{}: \"sha\" is \"{}\"", where, fixed.revision);
  std::vector<PlanFile> files;
  for (const Json& sibling : listing.at("siblings")) {
    require(sibling.is_object(), ErrorKind::invalid_data, "{}: a file is {}, expected an object", where,
            sibling.type_name());
    PlanFile file = read_sibling(fixed, sibling, where);
    if (file.path.find('/') == std::string::npos) files.push_back(std::move(file));
  }
  const bool safe = std::ranges::any_of(files, is_safetensors, &PlanFile::path);
  FetchPlan plan{.model = repository.name, .licence = licence};
  for (PlanFile& file : files) {
    const bool weights = safe ? is_safetensors(file.path) : is_pytorch(file.path);
    const bool other_index = is_index(file.path) && file.path.starts_with("pytorch_model") == safe;
    if (weights || (is_small(file.path) && !other_index)) plan.files.push_back(std::move(file));
  }
  const bool has_weights = std::ranges::any_of(
      plan.files, [](const PlanFile& file) { return is_safetensors(file.path) || is_pytorch(file.path); });
  require(has_weights, ErrorKind::not_found, "{} has no weights that this program reads (safetensors or PyTorch)",
          repository.name);
  return parse_plan(Json(to_json(plan)), where);  // checks paths, addresses and hashes as those of a plan in a file
}

FetchPlan list_repository(const Repository& repository, const std::string& licence, const DownloadOptions& options) {
  const std::string url =
      fmt::format("{}/api/models/{}/revision/{}?blobs=true", repository.hub, repository.name, repository.revision);
  return plan_from_listing(repository, licence, parse_json(download_text(url, kMaxListingBytes, options)).value());
}

}  // namespace sensorium::hub
