// Page cursors: a position, signed and bound to the caller and the list it came from, so that nobody makes one up or uses
// it elsewhere (threat-model §5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/sessions/service.hpp"

namespace dure::api {

class Cursors {
public:
    // `key` is derived from SECRET_KEY for this use alone.
    explicit Cursors(SecretString key) : key_(std::move(key)) {}

    std::string write(const sessions::PagePosition& position, std::string_view user_id, std::string_view list) const;
    // A wrong one is a validation problem of the query parameter `cursor`.
    Result<sessions::PagePosition> read(std::string_view cursor, std::string_view user_id, std::string_view list) const;

private:
    std::string signature(std::string_view payload, std::string_view user_id, std::string_view list) const;
    SecretString key_;
};

}  // namespace dure::api
