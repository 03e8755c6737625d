#include "server/server.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdio>

#include "base/interrupt.h"
#include "server/routes/services.h"
#include "server/scheduling/worker_pool.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostWaitingWork = 1024;  // requests that wait for a worker

void log_request(const Exchange& exchange, Clock::time_point start) {
  const Request& request = exchange.request();
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  // The path as it was understood, without what could break the line; the query may hold a key and is left out.
  std::string path = request.path.substr(0, 200);
  for (char& c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  const std::string line =
      fmt::format("{:%FT%TZ} {} {} {} {} {:.1f} ms\n", fmt::gmtime(std::time(nullptr)), request.peer, request.method,
                  path, exchange.gone() ? "gone" : std::to_string(exchange.status()), ms);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Headers with_security_headers(Headers headers) {
  headers.insert(headers.end(), {{"Referrer-Policy", "no-referrer"},
                                 {"X-Frame-Options", "DENY"},
                                 {"Cross-Origin-Resource-Policy", "same-origin"}});
  return headers;
}

}  // namespace

struct Server::Parts {
  explicit Parts(ServerOptions given)
      : options(std::move(given)),
        gate(options.gate),
        media(options.media),
        files(options.files, options.max_files_bytes),
        conversations(options.database.empty() ? nullptr
                                               : std::make_unique<ConversationStore>(open_database(options.database))),
        models(options.models, options.pool, options.load),
        search(options.search.folder.empty() ? nullptr : std::make_unique<FolderSearch>(options.search)),
        scheduler(models, metrics, options.scheduler),
        services{.models = models,
                 .scheduler = scheduler,
                 .metrics = metrics,
                 .gate = gate,
                 .media = media,
                 .files = files,
                 .uploads = uploads,
                 .conversations = conversations.get(),
                 .search = search.get(),
                 .defaults = options.defaults,
                 .mark_media = options.mark_media,
                 .request_timeout = options.request_timeout,
                 .web = options.web,
                 .draining = [this] { return draining.load(); },
                 .connections = [this] { return listener->statistics(); }},
        workers(options.workers, kMostWaitingWork) {
    ListenerOptions listening = options.listener;
    listening.common_headers = with_security_headers(std::move(listening.common_headers));
    listener = std::make_unique<Listener>(std::move(listening),
                                          [this](std::unique_ptr<Exchange> exchange) { receive(std::move(exchange)); });
    (void)models.get(models.names().front());  // begins to load it
    if (search) search->read_in_background(scheduler);
  }

  void receive(std::unique_ptr<Exchange> unique);
  bool answer_preflight(Exchange& exchange);
  void handle(const Route& route, Call& call);

  ServerOptions options;
  std::atomic<bool> draining{false};
  Metrics metrics;
  Gate gate;
  MediaSource media;
  FileStore files;
  UploadSessions uploads;
  std::unique_ptr<ConversationStore> conversations;
  ModelPool models;
  std::unique_ptr<FolderSearch> search;
  Scheduler scheduler;
  Services services;
  std::unique_ptr<Listener> listener;
  WorkerPool workers;  // last: its work uses everything else
};

// A browser asks whether a page from elsewhere may call.
bool Server::Parts::answer_preflight(Exchange& exchange) {
  if (exchange.request().method != "OPTIONS") return false;
  Response response{.status = 204, .body = {}};
  response.headers = {
      {"Access-Control-Allow-Methods", "GET, POST, PUT, DELETE"},
      {"Access-Control-Allow-Headers", std::string(exchange.request().header("access-control-request-headers"))},
      {"Access-Control-Max-Age", "600"}};
  exchange.send(std::move(response));
  return true;
}

void Server::Parts::receive(std::unique_ptr<Exchange> unique) {
  const std::shared_ptr<Exchange> exchange = std::move(unique);
  const Clock::time_point start = Clock::now();
  const Request& request = exchange->request();
  RouteMatch match = find_route(request.method, request.path);
  const Dialect dialect = match.route != nullptr ? match.route->dialect : Dialect::openai;
  const std::string origin = gate.allowed_origin(request);
  if (!origin.empty()) exchange->add_headers({{"Access-Control-Allow-Origin", origin}, {"Vary", "Origin"}});
  std::string client, admitted;
  exchange->on_end([this, start, route = match.route](const Exchange& ended) {
    metrics.count_request(route == nullptr ? "none" : route->path, ended.status());
    if (options.log_requests) log_request(ended, start);
  });
  try {
    client = gate.admit(request, match.route == nullptr ? Route::Access::open : match.route->access);
    if (answer_preflight(*exchange)) return gate.leave(client);
    if (match.route == nullptr) {
      gate.leave(client);
      throw ApiError(match.other_method ? 405 : 404,
                     fmt::format("there is no {} {}; GET /openapi.json lists what there is", request.method,
                                 request.path.substr(0, 200)),
                     "unknown_url");
    }
  } catch (const ApiError& error) {
    exchange->send(error_response(error, dialect));
    return;
  }
  exchange->on_end([this, start, client, route = match.route](const Exchange& ended) {
    gate.leave(client);
    metrics.count_request(route->path, ended.status());
    if (options.log_requests) log_request(ended, start);
  });
  auto call = std::make_shared<Call>(
      Call{.services = services, .exchange = exchange, .values = std::move(match.values), .client = client});
  if (match.route->place == Route::Place::loop) {
    handle(*match.route, *call);
  } else if (!workers.submit([this, route = match.route, call] { handle(*route, *call); })) {
    exchange->send(error_response(
        ApiError(429, "the server has too many requests; try again later", "rate_limit_exceeded").retry_after(1),
        dialect));
  }
}

void Server::Parts::handle(const Route& route, Call& call) {
  try {
    if (draining && route.place == Route::Place::worker)
      throw ApiError(503, "the server is being stopped", "shutting_down").retry_after(5);
    if (call.exchange->gone()) return;
    if (!route.fields.empty()) call.body = read_body(call.request(), route.fields);
    route.handle(call);
  } catch (const Error& error) {
    call.exchange->send(error_response(to_api_error(error), route.dialect));
  } catch (const std::bad_alloc&) {
    call.exchange->send(error_response(
        ApiError(503, "the server has no memory left; try again later", "overloaded").retry_after(5), route.dialect));
  } catch (const std::exception& error) {
    call.exchange->send(error_response(to_api_error(Error(ErrorKind::io, error.what())), route.dialect));
  }
}

Server::Server(ServerOptions options) : parts_(std::make_unique<Parts>(std::move(options))) {}
Server::~Server() = default;

int Server::port() const { return parts_->listener->port(); }

void Server::run() {
  parts_->listener->run(
      [this] {
        if (!interrupted()) return;
        parts_->draining = true;
        parts_->listener->stop();
      },
      parts_->options.grace);
}

void Server::stop() {
  parts_->draining = true;
  parts_->listener->stop();
}

}  // namespace sensorium::server
