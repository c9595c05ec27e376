// IdFinder, LineReader; see line_reader.hpp.
#include "tools/mcp/line_reader.hpp"

#include <charconv>

namespace dure::tools::mcp {
namespace line_parts {

constexpr std::size_t longest_kept = 24;  // of a key or a number: none that is looked for is longer

}  // namespace line_parts

void IdFinder::feed(std::string_view bytes)
{
    for (const char c : bytes)
        string_ ? in_string(c) : outside(c);
}

void IdFinder::in_string(char c)
{
    if (escaped_ || c == '\\')
        escaped_ = !escaped_;
    else if (c == '"')
        string_ = false;
    if (string_ && depth_ == 1 && text_.size() < line_parts::longest_kept)
        text_ += c;
}

void IdFinder::outside(char c)
{
    switch (c) {
    case '"':
        string_ = true;
        text_.clear();
        if (value_)
            text_ = '"';  // a number in quotes is no number
        return;
    case '{':
    case '[': ++depth_; break;
    case ':':
        if (depth_ == 1) {
            key_ = text_;
            value_ = true;
            has_method_ = has_method_ || key_ == "method";
        }
        break;
    case '}':
    case ']':
    case ',':
        if (depth_ == 1 && value_) {
            if (key_ == "id")
                id_ = text_;
            value_ = false;
        }
        depth_ -= c != ',';
        break;
    default:
        if (depth_ == 1 && value_ && c > ' ' && text_.size() < line_parts::longest_kept)
            text_ += c;
        return;
    }
    text_.clear();
}

std::optional<std::int64_t> IdFinder::response_id() const
{
    std::int64_t id = 0;
    const auto read = std::from_chars(id_.data(), id_.data() + id_.size(), id);
    if (has_method_ || read.ec != std::errc() || read.ptr != id_.data() + id_.size())
        return std::nullopt;
    return id;
}

void LineReader::feed(std::string_view bytes)
{
    buffer_.erase(0, at_);
    scanned_ -= at_;
    at_ = 0;
    buffer_ += bytes;
}

LineReader::Found LineReader::next(std::string_view& line)
{
    if (skipping_)
        return skip();
    const auto end = buffer_.find('\n', scanned_);
    scanned_ = end == std::string::npos ? buffer_.size() : end;
    const bool with_return = scanned_ > at_ && buffer_[scanned_ - 1] == '\r';  // at the end, or perhaps so
    if (scanned_ - at_ - (with_return ? 1 : 0) > longest_) {
        skipping_ = true;
        skipped_ = {};
        return skip();
    }
    if (end == std::string::npos)
        return Found::nothing;
    line = std::string_view(buffer_).substr(at_, end - at_ - (with_return ? 1 : 0));
    at_ = scanned_ = end + 1;
    return Found::line;
}

// Uses up what is there of a line that is too long.
LineReader::Found LineReader::skip()
{
    const auto end = buffer_.find('\n', at_);
    const auto stop = end == std::string::npos ? buffer_.size() : end;
    skipped_.feed(std::string_view(buffer_).substr(at_, stop - at_));
    at_ = scanned_ = end == std::string::npos ? stop : end + 1;
    skipping_ = end == std::string::npos;
    return skipping_ ? Found::nothing : Found::too_long;
}

}  // namespace dure::tools::mcp
