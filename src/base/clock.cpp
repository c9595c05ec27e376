// Clock, RFC 3339, UUIDv7 and random text. See clock.hpp.
#include "dure/base/clock.hpp"

#include <openssl/crypto.h>
#include <sys/random.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace dure {

UnixMillis SystemClock::now() const
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string rfc3339(UnixMillis time)
{
    using namespace std::chrono;
    const sys_time<milliseconds> point{milliseconds{time}};
    const auto day = floor<days>(point);
    const year_month_day date{day};
    const hh_mm_ss<milliseconds> clock{point - day};
    char text[40];
    const int length = std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()));
    return std::string(text, static_cast<std::size_t>(length));
}

namespace {

// Reads exactly `digits` decimal digits at `at` and moves on; -1 when they are not there.
int take_number(std::string_view text, std::size_t& at, std::size_t digits)
{
    if (at + digits > text.size())
        return -1;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = text[at + i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    at += digits;
    return value;
}

bool take_char(std::string_view text, std::size_t& at, std::string_view any_of)
{
    if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos)
        return false;
    ++at;
    return true;
}

// Milliseconds of an optional ".fff…" part; -1 when a dot has no digit behind it.
int take_fraction(std::string_view text, std::size_t& at)
{
    if (!take_char(text, at, "."))
        return 0;
    int milliseconds = 0;
    int digits = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
        if (digits < 3)
            milliseconds = milliseconds * 10 + (text[at] - '0');
    if (digits == 0)
        return -1;
    for (; digits < 3; ++digits)
        milliseconds *= 10;
    return milliseconds;
}

}  // namespace

std::optional<UnixMillis> parse_rfc3339(std::string_view text)
{
    using namespace std::chrono;
    std::size_t at = 0;
    const int y = take_number(text, at, 4);
    if (y < 0 || !take_char(text, at, "-"))
        return std::nullopt;
    const int mo = take_number(text, at, 2);
    if (mo < 0 || !take_char(text, at, "-"))
        return std::nullopt;
    const int d = take_number(text, at, 2);
    if (d < 0 || !take_char(text, at, "Tt "))
        return std::nullopt;
    const int h = take_number(text, at, 2);
    if (h < 0 || h > 23 || !take_char(text, at, ":"))
        return std::nullopt;
    const int mi = take_number(text, at, 2);
    if (mi < 0 || mi > 59 || !take_char(text, at, ":"))
        return std::nullopt;
    const int s = take_number(text, at, 2);
    if (s < 0 || s > 60)
        return std::nullopt;
    const int fraction = take_fraction(text, at);
    if (fraction < 0 || at >= text.size())
        return std::nullopt;
    int offset_minutes = 0;
    const char zone = text[at];
    if (!take_char(text, at, "Zz+-"))
        return std::nullopt;
    if (zone == '+' || zone == '-') {
        const int oh = take_number(text, at, 2);
        if (oh < 0 || oh > 23 || !take_char(text, at, ":"))
            return std::nullopt;
        const int om = take_number(text, at, 2);
        if (om < 0 || om > 59)
            return std::nullopt;
        offset_minutes = (zone == '+' ? 1 : -1) * (oh * 60 + om);
    }
    const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
    if (at != text.size() || !date.ok())
        return std::nullopt;
    const auto point = sys_days{date} + hours{h} + minutes{mi} + seconds{s} + milliseconds{fraction} -
                       minutes{offset_minutes};
    constexpr UnixMillis first_rfc3339 = -62'167'219'200'000;   // 0000-01-01T00:00:00Z
    const UnixMillis time = duration_cast<milliseconds>(point.time_since_epoch()).count();
    return time < first_rfc3339 || time > last_rfc3339 ? std::nullopt : std::optional(time);
}

void fill_random(void* target, std::size_t size)
{
    auto* at = static_cast<unsigned char*>(target);
    while (size > 0) {
        const auto got = ::getrandom(at, std::min<std::size_t>(size, 256), 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
        at += got;
        size -= static_cast<std::size_t>(got);
    }
}

namespace {

// Random bytes are drawn in blocks: a system call for each id would be most of its cost. What was given out is not kept.
class RandomBytes {
public:
    // At most 1024 bytes.
    void take(unsigned char* target, std::size_t size)
    {
        if (used_ + size > block_.size()) {
            fill_random(block_.data(), block_.size());
            used_ = 0;
        }
        std::memcpy(target, block_.data() + used_, size);
        OPENSSL_cleanse(block_.data() + used_, size);
        used_ += size;
    }

private:
    std::array<unsigned char, 1024> block_;
    std::size_t used_ = sizeof(block_);
};

thread_local RandomBytes random_bytes;

}  // namespace

std::string random_base62(std::size_t length)
{
    static constexpr char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string text;
    text.reserve(length);
    while (text.size() < length) {
        std::array<unsigned char, 32> bytes;
        const auto wanted = std::min(length - text.size(), bytes.size());
        random_bytes.take(bytes.data(), wanted);
        for (std::size_t i = 0; i < wanted; ++i)
            if (bytes[i] < 248)   // 248 = 4 * 62: the rest would favour the first letters
                text += alphabet[bytes[i] % 62];
    }
    return text;
}

std::string new_id()
{
    // RFC 9562 §5.7 with method 2 of §6.2: the 12 bits behind the milliseconds count up within one millisecond.
    static std::atomic<std::uint64_t> last{0};   // milliseconds and counter, as one number

    std::array<unsigned char, 16> id;
    random_bytes.take(id.data() + 6, 10);
    const auto start = (static_cast<unsigned>(id[6]) << 3) & 0x7ff;   // upper bit clear: room to count
    const auto fresh = (static_cast<std::uint64_t>(SystemClock().now()) << 12) | start;
    auto before = last.load(std::memory_order_relaxed);
    std::uint64_t count = 0;
    do
        count = (fresh >> 12) > (before >> 12) ? fresh : before + 1;
    while (!last.compare_exchange_weak(before, count, std::memory_order_relaxed));
    for (std::size_t i = 0; i < 6; ++i)
        id[i] = static_cast<unsigned char>(count >> (52 - 8 * i));
    id[6] = static_cast<unsigned char>(0x70 | ((count >> 8) & 0xf));
    id[7] = static_cast<unsigned char>(count & 0xff);
    id[8] = static_cast<unsigned char>(0x80 | (id[8] & 0x3f));

    static constexpr char hex[] = "0123456789abcdef";
    std::string text(36, '-');
    std::size_t at = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ++at;
        text[at++] = hex[id[i] >> 4];
        text[at++] = hex[id[i] & 15];
    }
    return text;
}

Steady::duration Deadline::left() const
{
    if (at_ == Steady::time_point::max())
        return Steady::duration::max();
    return std::max(Steady::duration::zero(), at_ - Steady::now());
}

}  // namespace dure
