// Small questions about the address the server listens on.
#pragma once

#include <string>

namespace dure::app {

inline bool is_loopback(const std::string& host)
{
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

// The host as it stands in a URL: IPv6 in brackets. "Every address" stays what it is: who reads it must see that others can
// connect too, and on the machine itself it can be opened as it stands.
inline std::string url_host(const std::string& host)
{
    return host.find(':') != std::string::npos && host.front() != '[' ? "[" + host + "]" : host;
}

}  // namespace dure::app
