// HTTP/1.1 requests and responses as values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensorium::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // "GET"; upper case as it came
  std::string path;    // percent-decoded, begins with '/', without "." and ".." segments
  std::string query;   // behind '?', still encoded
  Headers headers;     // names in lower case, values without blanks around them
  std::string body;
  std::string peer;  // the client's address, without port
  int minor_version = 1;
  bool keep_alive = true;

  // The first header of that name (lower case), or "".
  std::string_view header(std::string_view name) const;
  // A parameter of the query, decoded.
  std::optional<std::string> parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;  // further ones
};

// "Not Found"; "Unknown" for a status that this server never sends.
std::string_view reason_phrase(int status);

// %41 -> A; none for a broken escape or a NUL byte. `plus_is_space`: as in queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// What answers a request that no handler saw: an error in the form that OpenAI's API has.
Response plain_error(int status, std::string_view message);

// The first bytes of an answer. `framing`: the header that says how long the body is, and the connection's.
std::string response_head(const Response& response, std::string_view framing);

}  // namespace sensorium::server
