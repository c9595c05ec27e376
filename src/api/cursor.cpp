// Cursors: "<time>.<id>.<signature>", the signature the first 16 bytes of an HMAC-SHA256. See cursor.hpp.
#include "api/cursor.hpp"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <charconv>

#include "dure/base/text.hpp"

namespace dure::api {

namespace {

constexpr std::size_t signature_bytes = 16;

Error wrong_cursor()
{
    return Error(Errc::invalid_argument, "cursor is not one of this list.")
        .param("cursor")
        .problem({{"query", "cursor"}, "cursor is not one of this list", "value_error"});
}

}  // namespace

std::string Cursors::signature(std::string_view payload, std::string_view user_id, std::string_view list) const
{
    std::string text;
    for (const auto part : {payload, user_id, list})
        text += std::to_string(part.size()) + ':' + std::string(part);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), key_.reveal().data(), static_cast<int>(key_.reveal().size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &length);
    return base64url({reinterpret_cast<const char*>(digest), signature_bytes});
}

std::string Cursors::write(const sessions::PagePosition& position, std::string_view user_id, std::string_view list) const
{
    const auto payload = std::to_string(position.created_at) + '.' + position.id;
    return payload + '.' + signature(payload, user_id, list);
}

Result<sessions::PagePosition> Cursors::read(std::string_view cursor, std::string_view user_id, std::string_view list) const
{
    const auto last = cursor.rfind('.');
    const auto first = cursor.find('.');
    if (cursor.size() > 256 || last == std::string_view::npos || first == last)
        return wrong_cursor();
    const auto payload = cursor.substr(0, last);
    const auto wanted = signature(payload, user_id, list);
    const auto given = cursor.substr(last + 1);
    if (given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0)
        return wrong_cursor();
    sessions::PagePosition position;
    const auto time = payload.substr(0, first);
    const auto read = std::from_chars(time.data(), time.data() + time.size(), position.created_at);
    if (read.ec != std::errc() || read.ptr != time.data() + time.size())
        return wrong_cursor();
    position.id = payload.substr(first + 1);
    return position;
}

}  // namespace dure::api
