// A client for tests: a socket, bytes out, an answer in.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/json.h"

namespace sensorium::server {

// Whether something comes true within some seconds.
template <typename Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

struct Answer {
  int status = 0;  // 0: the connection ended without an answer
  std::map<std::string, std::string> headers;
  std::string body;
  bool complete = false;  // the body came to its end

  Json json() const { return parse_json(body).value(); }
};

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, ErrorKind::io,
            "no connection");
  }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void half_close() const { ::shutdown(socket_.get(), SHUT_WR); }
  // False at the end, or if nothing came in time.
  bool receive(std::chrono::milliseconds wait = std::chrono::seconds(20)) {
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(wait.count())) <= 0) return false;
    char buffer[16384];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    received_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  const std::string& received() const { return received_; }

  Answer read_answer() {
    Answer answer;
    size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return answer;
    }
    answer.status = std::atoi(received_.substr(9, 3).c_str());
    for (size_t at = received_.find("\r\n") + 2; at < end;) {
      const size_t line_end = received_.find("\r\n", at), colon = received_.find(": ", at);
      answer.headers[received_.substr(at, colon - at)] = received_.substr(colon + 2, line_end - colon - 2);
      at = line_end + 2;
    }
    received_.erase(0, end + 4);
    if (answer.headers.contains("Content-Length")) {
      const auto length = static_cast<size_t>(std::atoll(answer.headers["Content-Length"].c_str()));
      while (received_.size() < length && receive()) {
      }
      answer.complete = received_.size() >= length;
      answer.body = received_.substr(0, length);
      received_.erase(0, length);
    } else if (answer.headers.contains("Transfer-Encoding")) {
      read_chunks(answer);
    } else {
      while (receive()) {
      }
      answer.body = std::exchange(received_, {});
      answer.complete = true;
    }
    return answer;
  }

  Answer request(const std::string& method, const std::string& path, const std::string& body = {},
                 const std::string& headers = {}) {
    send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
         (body.empty() && method == "GET" ? std::string() : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
         "\r\n" + body);
    return read_answer();
  }

 private:
  void read_chunks(Answer& answer) {
    for (;;) {
      size_t line;
      while ((line = received_.find("\r\n")) == std::string::npos) {
        if (!receive()) return;
      }
      const size_t size = std::strtoull(received_.c_str(), nullptr, 16);
      while (received_.size() < line + 2 + size + 2) {
        if (!receive()) return;
      }
      answer.body += received_.substr(line + 2, size);
      received_.erase(0, line + 2 + size + 2);
      if (size > 0) continue;
      answer.complete = true;
      return;
    }
  }

  Descriptor socket_;
  std::string received_;
};

inline Answer ask_once(int port, const std::string& method, const std::string& path, const std::string& body = {},
                       const std::string& headers = {}) {
  return Client(port).request(method, path, body, headers);
}

}  // namespace sensorium::server
