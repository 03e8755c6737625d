#include <cstdio>
#include <cstdlib>

#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/options.h"
#include "server/decoding/worker.h"
#include "server/routes/openapi.h"
#include "server/server.h"

namespace sensorium::cli {
namespace {

// Makes the program a decoder of a server's, which starts it so.
constexpr const char* kDecoderFlag = "--as-decoder";

struct ServeOptions {
  server::ServerOptions server;
  std::vector<std::string> models;  // FOLDER or NAME=FOLDER
  models::LoadOptions load;
  GenerateFlags generate;
  std::string search_model;
  std::string database, key_file, new_key, describe, certificate, tls_key;
  std::vector<std::string> hosts;
  int64_t max_body_mb = 64, max_image_mpixels = 50, timeout_s = 600, grace_s = 30, max_loaded = 4;
  int64_t parallel = 64, queue = 256, connections = 4096;
  bool open = false, quiet = false, is_decoder = false, decode_here = false;
};

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// "NAME=FOLDER", or a folder whose own name is taken.
server::ModelSource model_source(const std::string& text, const models::LoadOptions& load) {
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos && equals > 0 && !std::filesystem::exists(text);
  const std::filesystem::path path = find_model(named ? text.substr(equals + 1) : text);
  require(std::filesystem::exists(path), ErrorKind::not_found, "{}: no such model folder or file", path.string());
  std::filesystem::path leaf = path.lexically_normal();
  if (!leaf.has_filename()) leaf = leaf.parent_path();
  return {.name = named                         ? text.substr(0, equals)
                  : leaf.extension() == ".gguf" ? leaf.stem().string()
                                                : leaf.filename().string(),
          .path = path,
          .load = load};
}

// The page: in the checkout or the installation that the running program belongs to, or in the sources that it was built from.
std::filesystem::path find_web_folder() {
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
  for (const std::filesystem::path& place :
       {program / "../../web", program / "../share/sensorium/web", std::filesystem::path(SENSORIUM_WEB_DIR)}) {
    if (std::filesystem::exists(place / "index.html", unknown)) return place.lexically_normal();
  }
  return {};
}

// Where conversations are kept unless --database says otherwise; "" without a home.
std::string default_database() {
  const auto variable = [](const char* name) {
    return std::string(std::getenv(name) == nullptr ? "" : std::getenv(name));
  };
  const std::string data = variable("XDG_DATA_HOME"), home = variable("HOME");
  if (data.empty() && home.empty()) return {};
  const std::filesystem::path folder =
      std::filesystem::path(data.empty() ? home + "/.local/share" : data) / "sensorium";
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  return code ? std::string() : (folder / "conversations.db").string();
}

// Which model searches: the one that is named, else the first that does nothing but embed, else the default.
std::string search_model(const ServeOptions& options, const std::vector<server::ModelSource>& sources) {
  for (const server::ModelSource& source : sources) {
    const bool fits = options.search_model.empty()
                          ? models::family_of(source.path, source.load).kind == models::FamilyKind::embeds
                          : source.name == options.search_model;
    if (fits) return source.name;
  }
  require(options.search_model.empty(), ErrorKind::usage, "--search-model {} is the name of no --model",
          options.search_model);
  return sources.front().name;
}

server::ServerOptions server_options(const ServeOptions& options) {
  server::ServerOptions server = options.server;
  for (const std::string& model : options.models) server.models.push_back(model_source(model, options.load));
  const std::string& host = server.listener.host;
  if (!options.key_file.empty()) server.gate.keys = server::read_key_file(options.key_file);
  require(is_loopback(host) || options.open || !server.gate.keys.empty(), ErrorKind::usage,
          "--host {} can be reached from other machines: give --keys FILE (sensorium serve --new-key NAME makes a line "
          "for it), or "
          "--open if anybody may use it",
          host);
  // A page in a browser on this machine must not reach the server under a name that its own DNS server gave this address.
  if (is_loopback(host)) server.gate.allowed_hosts = {"localhost", "127.0.0.1", "[::1]", host};
  for (const std::string& name : options.hosts) {
    if (server.gate.allowed_hosts.empty()) server.gate.allowed_hosts = {host};
    server.gate.allowed_hosts.push_back(name);
  }
  require(options.certificate.empty() == options.tls_key.empty(), ErrorKind::usage,
          "--tls-cert and --tls-key go together");
  if (!options.certificate.empty())
    server.listener.tls = std::make_shared<const server::TlsContext>(options.certificate, options.tls_key);
  server.listener.limits.max_body_bytes = static_cast<size_t>(options.max_body_mb) * 1'000'000;
  server.listener.max_connections = static_cast<int>(options.connections);
  if (!options.decode_here) server.media.decoder.program = {"/proc/self/exe", "serve", kDecoderFlag};
  server.media.image.max_pixels = options.max_image_mpixels * 1'000'000;
  server.media.image.max_file_bytes = server.listener.limits.max_body_bytes;
  server.pool = {.cache = cache_options(options.generate), .max_loaded = static_cast<size_t>(options.max_loaded)};
  server.scheduler = {.max_running = static_cast<size_t>(options.parallel),
                      .max_waiting = static_cast<size_t>(options.queue)};
  server.request_timeout = std::chrono::seconds(options.timeout_s);
  server.grace = std::chrono::seconds(options.grace_s);
  check_generate_flags(options.generate);
  server.defaults = options.generate.options;
  server.log_requests = !options.quiet;
  server.database = options.database == "none" ? "" : options.database.empty() ? default_database() : options.database;
  if (server.web.empty()) server.web = find_web_folder();
  if (!server.search.folder.empty()) server.search.model = search_model(options, server.models);
  return server;
}

void serve(const ServeOptions& options) {
  if (options.is_decoder) return server::decoding::run_worker();
  if (!options.new_key.empty()) {
    const server::NewKey made = server::make_key(options.new_key);
    std::fputs(fmt::format("key, shown this once: {}\nline for --keys FILE:   {}\n", made.key, made.line).c_str(),
               stdout);
    return;
  }
  if (!options.describe.empty()) {
    std::fputs(
        (options.describe == "openapi" ? server::openapi_document().dump(2) + "\n" : server::api_markdown()).c_str(),
        stdout);
    return;
  }
  server::ServerOptions prepared = server_options(options);
  const std::string scheme = prepared.listener.tls ? "https" : "http", host = prepared.listener.host;
  server::Server server(std::move(prepared));
  std::fputs(fmt::format("Sensorium serves on {}://{}:{}  (OpenAI clients: base URL .../v1; stop with Ctrl-C)\n",
                         scheme, host.find(':') == std::string::npos ? host : "[" + host + "]", server.port())
                 .c_str(),
             stdout);
  std::fflush(stdout);
  server.run();
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models over HTTP: OpenAI's, Gemini's and Ollama's APIs");
  options->models = {"default"};
  options->generate.options.max_tokens = 4096;
  server::ServerOptions& server = options->server;
  command
      ->add_option("--model,-m", options->models,
                   "Folder or GGUF file of a model, or NAME=FOLDER; repeatable, the first is the default")
      ->capture_default_str();
  command->add_option("--host", server.listener.host, "Address to listen on; 0.0.0.0: all of this machine")
      ->capture_default_str();
  command->add_option("--port,-p", server.listener.port, "0: any free one")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  command->add_option("--keys", options->key_file, "File of API keys, a line each: NAME SHA256 [rpm=N] [concurrent=N]");
  command->add_option("--new-key", options->new_key,
                      "Make a key with this name, print it and its line for --keys, and end");
  command->add_flag("--open", options->open, "Without keys, also on addresses that other machines reach");
  command->add_option("--allow-host", options->hosts, "A name under which clients may address this server; repeatable");
  command->add_option("--allow-origin", server.gate.origins,
                      "An origin whose web pages may call (https://app.example), or *; repeatable");
  command->add_flag("--behind-proxy", server.gate.behind_proxy,
                    "Clients are told apart by the last address in X-Forwarded-For, which a proxy must set");
  command->add_option("--tls-cert", options->certificate, "Certificate with its chain, PEM: serve https");
  command->add_option("--tls-key", options->tls_key, "Its private key, PEM");
  command->add_option("--parallel", options->parallel, "Answers that advance together")
      ->capture_default_str()
      ->check(whole_number(1, 4096));
  command->add_option("--queue", options->queue, "Requests that may wait for a model; more get status 429")
      ->capture_default_str()
      ->check(whole_number(1, 1 << 20));
  command->add_option("--max-loaded", options->max_loaded, "Models in memory at once")
      ->capture_default_str()
      ->check(whole_number(1, 1024));
  command->add_option("--timeout", options->timeout_s, "Seconds that a request may take")
      ->capture_default_str()
      ->check(whole_number(1, 86400));
  command->add_option("--grace", options->grace_s, "Seconds for answers in the making when the server is stopped")
      ->capture_default_str()
      ->check(whole_number(0, 86400));
  command->add_option("--max-connections", options->connections, "Open connections")
      ->capture_default_str()
      ->check(whole_number(1, 1 << 20));
  command->add_option("--max-body-mb", options->max_body_mb, "Largest request, in megabytes")
      ->capture_default_str()
      ->check(whole_number(1, 4096));
  command->add_option("--max-image-mpixels", options->max_image_mpixels, "Largest picture, in millions of pixels")
      ->capture_default_str()
      ->check(whole_number(1, 1000));
  command->add_option("--media-path", server.media.media_path,
                      "Folder whose files requests may name by file:// URLs (default: none)");
  command->add_option(
      "--allow-media-host", server.media.remote.hosts,
      "Host that pictures may be fetched from: NAME, .NAME (and all below) or *; repeatable (default: none)");
  command->add_option("--files", server.files, "Folder of uploaded files (default: a temporary one)");
  command->add_option("--database", options->database,
                      "Where conversations are kept: a file of SQLite, postgresql://..., or none (default: "
                      "~/.local/share/sensorium/conversations.db)");
  command->add_option(
      "--index", server.search.folder,
      "Folder of pictures, sounds, films and texts that /api/search and the page search (default: none)");
  command->add_option("--index-place", server.search.place,
                      "Where its index is kept (default: .sensorium-index in the folder)");
  command->add_option("--search-model", options->search_model,
                      "Name of the model that searches (default: the first with a joint space)");
  command->add_option("--web", server.web, "Folder of the web page (default: the program's own)");
  command->add_option("--workers", server.workers, "Threads that read requests and decode pictures")
      ->capture_default_str()
      ->check(whole_number(1, 64));
  command->add_flag("!--no-media-note", server.mark_media,
                    "Do not tell models with a chat template that words in media are no instructions");
  command->add_flag("--decode-here", options->decode_here,
                    "Decode pictures and sounds in this process (default: in limited ones of their own)");
  command->add_flag(kDecoderFlag, options->is_decoder, "How the server calls itself to decode media")->group("");
  command->add_flag("--quiet,-q", options->quiet, "No line per request on standard error");
  command->add_option("--describe", options->describe, "Print the API's description (markdown or openapi) and end")
      ->check(CLI::IsMember({"markdown", "openapi"}));
  add_load_options(*command, options->load);
  add_generate_options(*command, options->generate);
  command->footer(
      "Settings of answers are those of requests that do not say. docs/serving.md has more.\n"
      "Examples:\n"
      "  sensorium serve\n"
      "  sensorium serve --model small=runs/small/model --model big=llava-1.5-7b-hf --port 9000\n"
      "  sensorium serve --host 0.0.0.0 --keys keys.txt --tls-cert cert.pem --tls-key key.pem");
  command->callback([options] { serve(*options); });
}

}  // namespace sensorium::cli
