// Text helpers; see text.hpp.
#include "dure/base/text.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "dure/base/hex_digit.hpp"
#include "dure/base/json_text.hpp"

namespace dure {

namespace {

// Length of the well-formed UTF-8 character at `at` (RFC 3629 table), 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const auto left = text.size() - at;
    const unsigned char first = byte(0);
    if (first < 0x80)
        return 1;
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
    if (first >= 0xc2 && first <= 0xdf)
        return left >= 2 && tail(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (left < 3 || !tail(1) || !tail(2))
            return 0;
        if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f))
            return 0;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (left < 4 || !tail(1) || !tail(2) || !tail(3))
            return 0;
        if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

constexpr char hex_digits[] = "0123456789abcdef";

// Characters that can hide or turn text in a log viewer: bidirectional controls, line and paragraph separators,
// zero-width characters, the byte order mark.
bool hides_text(std::uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x061c || c == 0xfeff || (c >= 0x7f && c <= 0x9f);
}

std::uint32_t decode(std::string_view character)
{
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
    switch (character.size()) {
    case 2: return ((byte(0) & 0x1f) << 6) | (byte(1) & 0x3f);
    case 3: return ((byte(0) & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f);
    case 4: return ((byte(0) & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f);
    default: return byte(0);
    }
}

void append_unicode_escape(std::string& out, std::uint32_t unit)
{
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4)
        out += hex_digits[(unit >> shift) & 15];
}

void append_ascii_escaped(std::string& out, char c)
{
    switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default:
        if (static_cast<unsigned char>(c) < 0x20)
            append_unicode_escape(out, static_cast<unsigned char>(c));
        else
            out += c;
    }
}

}  // namespace

bool valid_utf8(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            ++at;
            for (std::uint64_t word; at + sizeof word <= text.size(); at += sizeof word) {
                std::memcpy(&word, text.data() + at, sizeof word);
                if ((word & json_words::every_byte(0x80)) != 0)
                    break;
            }
            continue;
        }
        const auto length = utf8_length(text, at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes)
{
    if (text.size() <= bytes)
        return text;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80)
        --bytes;
    return text.substr(0, bytes);
}

std::size_t utf8_characters(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string to_valid_utf8(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto length = utf8_length(text, at);
        if (length == 0) {
            out += "\xef\xbf\xbd";
            ++at;
        } else {
            out += text.substr(at, length);
            at += length;
        }
    }
    return out;
}

void append_utf8(std::string& out, std::uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = 0xfffd;
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

void append_json_escaped(std::string& out, std::string_view text, JsonEscape how)
{
    std::size_t plain = 0;   // start of the run that needs no escape
    std::size_t at = 0;
    const auto flush = [&] { out += text.substr(plain, at - plain); };
    while ((at = plain_json_run_end(text, at)) < text.size()) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c < 0x80) {
            if (c >= 0x20 && c != '"' && c != '\\' && (how == JsonEscape::minimal || c != 0x7f)) {
                ++at;
                continue;
            }
            flush();
            if (c == 0x7f)
                append_unicode_escape(out, c);
            else
                append_ascii_escaped(out, text[at]);
            plain = ++at;
            continue;
        }
        const auto length = utf8_length(text, at);
        if (length == 0) {
            flush();
            out += "\xef\xbf\xbd";
            plain = ++at;
        } else if (how == JsonEscape::for_logs && hides_text(decode(text.substr(at, length)))) {
            flush();
            append_unicode_escape(out, decode(text.substr(at, length)));
            plain = at += length;
        } else {
            at += length;
        }
    }
    flush();
}

void append_json_string(std::string& out, std::string_view text, JsonEscape how)
{
    out += '"';
    append_json_escaped(out, text, how);
    out += '"';
}

bool equals_ignoring_case(const char* a, const char* b, std::size_t size)
{
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    for (std::size_t i = 0; i < size; ++i)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

std::string ascii_lower(std::string_view text)
{
    std::string out(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + 32);
    return out;
}

std::string_view trim(std::string_view text)
{
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    return text;
}

std::optional<std::string> percent_decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        if (at + 2 >= text.size())
            return std::nullopt;
        const int high = hex_value(text[at + 1]);
        const int low = hex_value(text[at + 2]);
        if (high < 0 || low < 0)
            return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

std::string base64(std::string_view bytes)
{
    std::string out(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    return out;
}

std::string base64url(std::string_view bytes)
{
    auto out = base64(bytes);
    while (!out.empty() && out.back() == '=')
        out.pop_back();
    for (auto& c : out)
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

std::string hex(std::string_view bytes)
{
    std::string out(bytes.size() * 2, '\0');
    char* to = out.data();
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        *to++ = hex_digits[byte >> 4];
        *to++ = hex_digits[byte & 15];
    }
    return out;
}

std::string sha256(std::string_view bytes)
{
    const auto digest = sha256_digest(bytes);
    return std::string(digest.begin(), digest.end());
}

// One hash a request (its key): the algorithm is looked up once, the context belongs to the thread.
Sha256 sha256_digest(std::string_view bytes)
{
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    Sha256 digest;
    const bool done = algorithm != nullptr && context && EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                      EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
    if (!done)
        throw std::runtime_error("SHA-256 is not available");
    return digest;
}

// Reflected polynomial of IEEE 802.3, a table per byte.
std::uint32_t crc32(std::string_view bytes)
{
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> rows{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            rows[byte] = byte;
            for (int bit = 0; bit < 8; ++bit)
                rows[byte] = (rows[byte] >> 1) ^ (0xedb88320u & (0u - (rows[byte] & 1u)));
        }
        return rows;
    }();
    std::uint32_t crc = 0xffffffffu;
    for (const char c : bytes)
        crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xffu];
    return ~crc;
}

}  // namespace dure
