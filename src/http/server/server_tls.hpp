// The certificate that a server shows: read from its two files at the start and again when it is told that they are new.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "dure/base/error.hpp"

namespace dure::http {

// Thread-safe.
class ServerTls {
public:
    // What was read before stays when the files cannot be used. invalid_argument; its detail names the file and the cause.
    Result<void> load(const std::string& certificate_file, const std::string& key_file);
    // For one connection, which keeps to it. Null: nothing was loaded, so that connections are plain.
    std::shared_ptr<boost::asio::ssl::context> current() const;

private:
    mutable std::mutex guard_;
    std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace dure::http
