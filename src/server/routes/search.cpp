#include "server/routes/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "models/embedding/load_input.h"
#include "server/routes/folder_search.h"

namespace sensorium::server {
namespace {

namespace fs = std::filesystem;

// A search waits so long for files that have come to the folder; what is left is read behind it.
constexpr std::chrono::seconds kReadingTime{1};
constexpr int64_t kMostResults = 1000, kUsualResults = 20;
constexpr int64_t kMostWhole = int64_t{64} << 20, kMostRange = int64_t{4} << 20;

struct Type {
  std::string_view extension, type;
};
constexpr std::array kTypes = std::to_array<Type>({
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".png", "image/png"},
    {".webp", "image/webp"},
    {".wav", "audio/wav"},
    {".flac", "audio/flac"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".oga", "audio/ogg"},
    {".opus", "audio/ogg"},
    {".m4a", "audio/mp4"},
    {".aac", "audio/aac"},
    {".mp4", "video/mp4"},
    {".m4v", "video/mp4"},
    {".mkv", "video/x-matroska"},
    {".webm", "video/webm"},
    {".mov", "video/quicktime"},
    {".avi", "video/x-msvideo"},
    {".mpg", "video/mpeg"},
    {".mpeg", "video/mpeg"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
});

std::string_view type_of(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Type& known : kTypes) {
    if (known.extension == extension) return known.type;
  }
  return "application/octet-stream";
}

std::string url_of(const std::string& path) {
  std::string url = "/api/search/files/";
  for (const char c : path) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '/' || c == '-' || c == '_' || c == '.';
    url += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return url;
}

FolderSearch& require_folder(const Call& call) {
  if (call.services.search == nullptr)
    throw ApiError(404, "this server searches no folder; it was started without --index", "not_found");
  return *call.services.search;
}

EmbedItem read_query(const Call& call, const OrderedJson& query) {
  EmbedItem item;
  if (query.is_string()) {
    const auto& text = query.get_ref<const std::string&>();
    if (text.empty()) throw ApiError(400, "\"query\" is empty", "invalid_value", "query");
    if (!text.starts_with("data:")) return text_item(text);
    item.terms.push_back(call.services.media.embed_input(call.services.media.read_url(text)));
    return item;
  }
  const OrderedJson parts = query.is_array() ? query : OrderedJson::array({query});
  if (parts.empty()) throw ApiError(400, "\"query\" is empty", "invalid_value", "query");
  for (const OrderedJson& part : parts) item.terms.push_back(openai_embed_input(call, part));
  return item;
}

std::vector<models::InputSense> read_senses(const OrderedJson& body) {
  std::vector<models::InputSense> senses;
  const OrderedJson* given = member(body, "senses");
  if (given == nullptr) return senses;
  for (const OrderedJson& name : *given) {
    const auto sense = name.is_string() ? models::find_sense(name.get<std::string>()) : std::nullopt;
    if (!sense) throw ApiError(400, "\"senses\" holds something that is no sense", "invalid_value", "senses");
    senses.push_back(*sense);
  }
  return senses;
}

class SearchTask : public ModelTask {
 public:
  SearchTask(FolderSearch& folder, EmbedItem query, size_t count, std::vector<models::InputSense> senses)
      : folder_(folder), embed_({std::move(query)}, std::nullopt), count_(count), senses_(std::move(senses)) {}

  bool step(const std::shared_ptr<const models::Model>& model) override {
    switch (stage_) {
      case Stage::look:
        folder_.prepare(model);
        until_ = Clock::now() + kReadingTime;
        stage_ = Stage::read;
        return false;
      case Stage::read:
        if (folder_.read_some() || Clock::now() > until_) stage_ = Stage::search;
        return false;
      case Stage::search:
        break;
    }
    // Another request may have changed the model meanwhile.
    folder_.prepare(model);
    embed_.step(model);
    found = folder_.search(embed_.vectors().front(), count_, senses_);
    files = folder_.size();
    unread = folder_.unread();
    return true;
  }

  // Once it is done.
  std::vector<apps::FoundFile> found;
  int64_t files = 0, unread = 0;

 private:
  enum class Stage : uint8_t { look, read, search };
  FolderSearch& folder_;
  EmbedTask embed_;
  size_t count_;
  std::vector<models::InputSense> senses_;
  Stage stage_ = Stage::look;
  Clock::time_point until_{};
};

class SearchSink : public AnswerSink {
 public:
  SearchSink(const Call& call, std::shared_ptr<const SearchTask> task)
      : AnswerSink(call, Dialect::openai), services_(call.services), task_(std::move(task)) {}
  void done() override {
    OrderedJson results = OrderedJson::array();
    for (const apps::FoundFile& file : task_->found) {
      results.push_back({{"name", file.path},
                         {"type", type_of(file.path)},
                         {"sense", file.sense},
                         {"score", file.cosine},
                         {"url", url_of(file.path)}});
    }
    if (task_->unread > 0) services_.search->read_in_background(services_.scheduler);
    const OrderedJson json{{"results", results}, {"files", task_->files}, {"unread", task_->unread}};
    exchange_->send({.body = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)});
  }

 private:
  Services& services_;
  std::shared_ptr<const SearchTask> task_;
};

struct Range {
  int64_t begin = 0, end = 0;  // bytes
};

// "bytes=A-B", "bytes=A-", "bytes=-N"; none: the whole file is meant. Throws ApiError(416).
std::optional<Range> read_range(std::string_view header, int64_t size) {
  if (!header.starts_with("bytes=") || header.find(',') != std::string_view::npos) return std::nullopt;
  header.remove_prefix(6);
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view text) -> std::optional<int64_t> {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
  };
  const std::string_view begin = header.substr(0, dash), end = header.substr(dash + 1);
  const std::optional<int64_t> first = number(begin), last = number(end);
  if ((!first && !begin.empty()) || (!last && !end.empty()) || (!first && !last)) return std::nullopt;
  Range range{first ? *first : std::max<int64_t>(size - *last, 0), first && last ? *last + 1 : size};
  range.end = std::min({range.end, size, range.begin + kMostRange});
  if (range.begin >= range.end) throw ApiError(416, "the file has no such bytes", "invalid_range");
  return range;
}

}  // namespace

void get_search(Call& call) {
  OrderedJson json{{"searchable", call.services.search != nullptr}};
  if (call.services.search != nullptr) {
    const std::string& model = call.services.search->model();
    json["model"] = model;
    if (const auto description = call.services.models.description(model);
        description && description->contains("embeds"))
      json["senses"] = (*description)["embeds"];
  }
  call.send_json(json);
}

void search_folder(Call& call) {
  FolderSearch& folder = require_folder(call);
  const OrderedJson& body = call.body;
  Ask ask = begin_ask(call, folder.model());
  auto task = std::make_shared<SearchTask>(
      folder, read_query(call, body.at("query")),
      static_cast<size_t>(integer_or(body, "limit", kUsualResults, 1, kMostResults)), read_senses(body));
  ask.job.task = task;
  submit(call, std::move(ask), std::make_shared<SearchSink>(call, std::move(task)));
}

void get_searched_file(Call& call) {
  const fs::path& folder = require_folder(call).folder();
  const ApiError missing(404, "there is no such file", "not_found");
  const fs::path name = call.values[0];
  // What search would find, and nothing else: no hidden files, no other kinds, no links that lead out.
  if (name.is_absolute() || !models::sense_of_file(name)) throw missing;
  for (const fs::path& part : name) {
    if (part.string().starts_with('.')) throw missing;
  }
  std::error_code code;
  const fs::path root = fs::canonical(folder, code), path = fs::canonical(folder / name, code);
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  if (code || end != root.end() || !fs::is_regular_file(path, code)) throw missing;
  const auto size = static_cast<int64_t>(fs::file_size(path, code));
  std::ifstream file(path, std::ios::binary);
  if (code || !file) throw missing;
  const std::optional<Range> range = read_range(call.request().header("range"), size);
  if (!range && size > kMostWhole)
    throw ApiError(413, "the file is larger than 64 MB; ask for ranges of its bytes", "file_too_large");
  const Range read = range.value_or(Range{0, size});
  std::string bytes(static_cast<size_t>(read.end - read.begin), '\0');
  file.seekg(read.begin);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.gcount() != static_cast<std::streamsize>(bytes.size())) throw missing;
  Response response{.status = range ? 206 : 200,
                    .content_type = std::string(type_of(path)),
                    .body = std::move(bytes),
                    .headers = {{"Accept-Ranges", "bytes"},
                                {"Cache-Control", "private, no-cache"},
                                {"Content-Security-Policy", "sandbox; default-src 'none'"}}};
  if (range)
    response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", read.begin, read.end - 1, size));
  call.exchange->send(std::move(response));
}

}  // namespace sensorium::server
