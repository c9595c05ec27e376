// Small questions about the address the server listens on.
#pragma once

#include <string>

namespace dure::app {

inline bool is_loopback(const std::string& host)
{
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

// The host as it stands in a URL: IPv6 in brackets, "every address" as a name that can be opened.
inline std::string url_host(const std::string& host)
{
    if (host == "0.0.0.0" || host == "::")
        return "127.0.0.1";
    return host.find(':') != std::string::npos && host.front() != '[' ? "[" + host + "]" : host;
}

}  // namespace dure::app
