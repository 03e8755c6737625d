#include "server/routes/remote_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>

#include "server/routes/api_error.h"

namespace sensorium::server {
namespace {

struct Network4 {
  uint32_t address;
  int bits;
};
constexpr uint32_t quad(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }
// The IANA registry of special-purpose addresses.
constexpr std::array kNotPublic4 = std::to_array<Network4>({
    {quad(0, 0, 0, 0), 8},
    {quad(10, 0, 0, 0), 8},
    {quad(100, 64, 0, 0), 10},
    {quad(127, 0, 0, 0), 8},
    {quad(169, 254, 0, 0), 16},
    {quad(172, 16, 0, 0), 12},
    {quad(192, 0, 0, 0), 24},
    {quad(192, 0, 2, 0), 24},
    {quad(192, 88, 99, 0), 24},
    {quad(192, 168, 0, 0), 16},
    {quad(198, 18, 0, 0), 15},
    {quad(198, 51, 100, 0), 24},
    {quad(203, 0, 113, 0), 24},
    {quad(224, 0, 0, 0), 4},
    {quad(240, 0, 0, 0), 4},
});

bool is_public4(uint32_t address) {
  return std::ranges::none_of(kNotPublic4, [&](const Network4& network) {
    const uint32_t mask = ~uint32_t{0} << (32 - network.bits);
    return (address & mask) == network.address;
  });
}

bool is_public6(const uint8_t* a) {
  const auto embedded = [&](int at) { return is_public4(quad(a[at], a[at + 1], a[at + 2], a[at + 3])); };
  const auto zeros = [&](int from, int to) {
    return std::all_of(a + from, a + to, [](uint8_t byte) { return byte == 0; });
  };
  if (zeros(0, 10) && a[10] == 0xff && a[11] == 0xff) return embedded(12);                // IPv4-mapped
  if (a[0] == 0x00 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b) return embedded(12);  // NAT64
  if (a[0] == 0x20 && a[1] == 0x02) return embedded(2);                                   // 6to4
  // Only 2000::/3 is handed out; of it Teredo, ORCHID, benchmarks and documentation are special.
  if ((a[0] & 0xe0) != 0x20) return false;
  if (a[0] == 0x20 && a[1] == 0x01 && a[2] <= 0x01) return false;
  return !(a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) && !(a[0] == 0x3f && a[1] == 0xff);
}

bool host_allowed(const std::string& host, const std::vector<std::string>& allowed) {
  return std::ranges::any_of(allowed, [&](const std::string& entry) {
    if (entry == "*" || entry == host) return true;
    return entry.starts_with('.') && (host.ends_with(entry) || host == entry.substr(1));
  });
}

struct Fetch {
  const RemoteFetchOptions& options;
  std::string body;
  bool refused = false, too_large = false;
};

curl_socket_t open_checked(void* user, curlsocktype, curl_sockaddr* address) {
  auto& fetch = *static_cast<Fetch*>(user);
  if (!fetch.options.allow_private && !is_public_address(&address->addr)) {
    fetch.refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& fetch = *static_cast<Fetch*>(user);
  if (fetch.body.size() + size * count > fetch.options.max_bytes) {
    fetch.too_large = true;
    return 0;
  }
  fetch.body.append(data, size * count);
  return size * count;
}

ApiError bad_url(const std::string& message) { return {400, message, "invalid_image_url"}; }

}  // namespace

bool is_public_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    return is_public4(ntohl(four.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, address, sizeof six);
    return is_public6(six.sin6_addr.s6_addr);
  }
  return false;
}

std::string url_host(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (parsed == nullptr || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK)
    return {};
  const auto part = [&](CURLUPart what) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), what, &text, 0) == CURLUE_OK) out = text;
    curl_free(text);
    return out;
  };
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return {};
  std::string host = part(CURLUPART_HOST);
  std::ranges::transform(host, host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

std::string fetch_remote(const std::string& url, const RemoteFetchOptions& options) {
  const std::string host = url_host(url);
  if (host.empty()) throw bad_url("the URL is no plain http or https URL");
  if (!host_allowed(host, options.hosts))
    throw bad_url("this server does not fetch from that host; send the file as a data URL (data:image/png;base64,...)");
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(global == CURLE_OK ? curl_easy_init() : nullptr,
                                                                 curl_easy_cleanup);
  require(curl != nullptr, ErrorKind::io, "libcurl cannot be set up");
  Fetch fetch{.options = options};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options.max_bytes));
  curl_easy_setopt(curl.get(), CURLOPT_OPENSOCKETFUNCTION, open_checked);
  curl_easy_setopt(curl.get(), CURLOPT_OPENSOCKETDATA, &fetch);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &fetch);
  const CURLcode code = curl_easy_perform(curl.get());
  if (fetch.refused) throw bad_url("the URL leads to an address that is not public");
  if (fetch.too_large || code == CURLE_FILESIZE_EXCEEDED)
    throw ApiError(413, "the file behind the URL is too large", "file_too_large");
  if (code != CURLE_OK) throw bad_url("the URL cannot be fetched");
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) throw bad_url("the URL did not answer with status 200; redirects are not followed");
  return std::move(fetch.body);
}

}  // namespace sensorium::server
