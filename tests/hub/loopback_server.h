// A small HTTP server on 127.0.0.1 whose answers a test chooses, bad ones included. One connection at a time, one request on
// each.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace sensorium::hub {

struct ServerRequest {
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case

  // Where the range that is asked for begins; 0 without one.
  uint64_t offset() const {
    const auto range = headers.find("range");
    return range == headers.end() ? 0 : std::stoull(range->second.substr(std::string("bytes=").size()));
  }
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct ServerReply {
  int status = 200;
  std::vector<std::string> headers;  // "ETag: \"1\""; Content-Length comes by itself
  std::string body;
  size_t sent = std::numeric_limits<size_t>::max();  // bytes of the body before the connection ends
  bool stall = false;                                // it does not end then, but stays silent
  bool has_length = true;                            // says Content-Length
};

class LoopbackServer {
 public:
  using Handler = std::function<ServerReply(const ServerRequest& request)>;

  explicit LoopbackServer(Handler handler)
      : handler_(std::move(handler)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    require(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(socket_, 16) == 0 &&
                ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
            ErrorKind::io, "no loopback server");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LoopbackServer() {
    stop_ = true;
    thread_.join();
    ::close(socket_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<ServerRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  bool readable(int descriptor) const {
    pollfd waiting{descriptor, POLLIN, 0};
    return ::poll(&waiting, 1, 20) > 0;
  }

  void serve() {
    while (!stop_) {
      if (!readable(socket_)) continue;
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      answer(client);
      ::close(client);
    }
  }

  void answer(int client) {
    std::string text;
    char byte;
    while (!text.ends_with("\r\n\r\n") && ::recv(client, &byte, 1, 0) == 1) text += byte;
    ServerRequest request;
    const size_t first = text.find(' ');
    if (first == std::string::npos) return;
    request.path = text.substr(first + 1, text.find(' ', first + 1) - first - 1);
    for (size_t at = text.find("\r\n"); at + 2 < text.size();) {
      const size_t end = text.find("\r\n", at + 2), colon = text.find(':', at + 2);
      if (end == std::string::npos || colon > end) break;
      std::string name = text.substr(at + 2, colon - at - 2);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request.headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const ServerReply reply = handler_(request);
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nConnection: close\r\n";
    if (reply.has_length) head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    for (const std::string& header : reply.headers) head += header + "\r\n";
    send_all(client, head + "\r\n" + reply.body.substr(0, reply.sent));
    while (reply.stall && !stop_ && !(readable(client) && ::recv(client, &byte, 1, 0) <= 0)) {
    }
  }

  static void send_all(int client, const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  Handler handler_;
  int socket_;
  uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;
  std::thread thread_;
};

// The answer of a server that knows ranges and the condition on them.
inline ServerReply file_reply(const ServerRequest& request, const std::string& content, const std::string& etag) {
  const std::string condition = request.header("if-range");
  const bool part = request.offset() > 0 && (condition.empty() || condition == etag);
  ServerReply reply;
  if (!etag.empty()) reply.headers.push_back("ETag: " + etag);
  if (!part) {
    reply.body = content;
    return reply;
  }
  const uint64_t begin = request.offset();
  if (begin >= content.size()) return {.status = 416};
  reply.status = 206;
  reply.headers.push_back("Content-Range: bytes " + std::to_string(begin) + "-" + std::to_string(content.size() - 1) +
                          "/" + std::to_string(content.size()));
  reply.body = content.substr(begin);
  return reply;
}

}  // namespace sensorium::hub
