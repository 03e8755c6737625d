// Media that a request names by URL. Off unless hosts are allowed.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

struct sockaddr;

namespace sensorium::server {

struct RemoteFetchOptions {
  std::vector<std::string>
      hosts;                   // that may be fetched from: "images.example.org", ".example.org" (it and all below), "*"
  bool allow_private = false;  // addresses of this machine and its networks; for tests
  size_t max_bytes = size_t{32} << 20;
  std::chrono::milliseconds timeout{20'000};
};

// Whether an address is one of the public internet: not this machine, a private or link-local network, a shared or reserved
// range, multicast, nor an IPv6 address that embeds such an IPv4 one (RFC 1918, 3927, 4193, 5735, 6598, 6890).
bool is_public_address(const sockaddr* address);
// The host of an http or https URL in lower case; "" for what is none, has a user or is no plain URL.
std::string url_host(const std::string& url);

// The bytes behind an http or https URL. The address that is connected to is checked, not the one a name had before;
// redirects are not followed; no proxy is used. Throws ApiError.
std::string fetch_remote(const std::string& url, const RemoteFetchOptions& options);

}  // namespace sensorium::server
