// SseReader: lines are cut out of one buffer with memchr, every byte is looked at a constant number of times; the data of an
// event with one line is given out where it stands. The
// writer escapes nothing: data with line ends becomes several data lines.
#include "dure/http/sse.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dure/base/json.hpp"

namespace dure::http {

namespace {

constexpr std::string_view event_end = "\n\n";

}  // namespace

void SseReader::feed(std::string_view bytes)
{
    if (overflowed_)
        return;
    own_data();
    if (at_ > 0 && at_ >= buffer_.size() / 2) {
        buffer_.erase(0, at_);
        scanned_ -= at_;
        next_lf_ -= std::min(next_lf_, at_);
        at_ = 0;
    }
    buffer_.append(bytes);
}

bool SseReader::next(SseEvent& event)
{
    std::string_view line;
    while (take_line(line)) {
        if (!line.empty()) {
            apply_line(line);
            continue;
        }
        if (give(event))
            return true;
    }
    return false;
}

bool SseReader::read(std::string_view& bytes, SseEvent& event)
{
    while (!take_whole(bytes, event)) {
        if (next(event))
            return true;
        if (bytes.empty() || overflowed_)
            return false;
        // Only as far as an event may end: the next one may be read where it stands.
        const auto end = bytes.find(event_end);
        const auto size = end == std::string_view::npos ? bytes.size() : end + event_end.size();
        feed(bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
    return true;
}

// Nothing is pending, and the next event has one line, of data.
bool SseReader::take_whole(std::string_view& bytes, SseEvent& event)
{
    constexpr std::string_view begin = "data:";
    if (!between_events() || !bytes.starts_with(begin))
        return false;
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos || end > limit_ || end + 1 == bytes.size() || bytes[end + 1] != '\n')
        return false;
    std::string_view line(bytes.data() + begin.size(), end - begin.size());
    if (line.find('\r') != std::string_view::npos)
        return false;
    if (!line.empty() && line.front() == ' ')
        line.remove_prefix(1);
    first_line_ = false;
    event = {{}, line, {}};
    bytes.remove_prefix(end + event_end.size());
    return true;
}

bool SseReader::finish(SseEvent& event)
{
    if (next(event))
        return true;
    if (overflowed_)
        return false;
    std::string_view rest = std::string_view(buffer_).substr(at_);
    at_ = scanned_ = buffer_.size();
    if (first_line_ && rest.starts_with("\xef\xbb\xbf"))
        rest.remove_prefix(3);
    first_line_ = false;
    apply_line(rest);
    // Only what is certainly whole counts: a connection cut inside an event must not look like an event.
    if (overflowed_ || !has_data_ || (data() != "[DONE]" && !Json::accept(data())))
        return false;
    return give(event);
}

// next_lf_ is the first LF at or behind scanned_, or the end of what has been searched; so neither many CRs before one
// LF nor many small feeds make it search twice.
bool SseReader::take_line(std::string_view& line)
{
    if (after_cr_ && at_ < buffer_.size()) {
        after_cr_ = false;
        if (buffer_[at_] == '\n')
            scanned_ = ++at_;
    }
    next_lf_ = std::max(next_lf_, scanned_);
    if (next_lf_ < buffer_.size() && buffer_[next_lf_] != '\n')
        next_lf_ = std::min(buffer_.find('\n', next_lf_), buffer_.size());
    const char* const from = buffer_.data() + scanned_;
    const auto* const cr = static_cast<const char*>(std::memchr(from, '\r', next_lf_ - scanned_));
    const std::size_t end = cr != nullptr ? scanned_ + static_cast<std::size_t>(cr - from) : next_lf_;
    if (end - at_ > limit_) {
        overflow();
        return false;
    }
    if (end == buffer_.size()) {
        scanned_ = end;
        return false;
    }
    after_cr_ = buffer_[end] == '\r';
    line = std::string_view(buffer_).substr(at_, end - at_);
    at_ = scanned_ = end + 1;
    if (first_line_ && line.starts_with("\xef\xbb\xbf"))
        line.remove_prefix(3);
    first_line_ = false;
    return true;
}

void SseReader::apply_line(std::string_view line)
{
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' '))
        value.remove_prefix(1);
    if (name == "data") {
        if (data().size() + value.size() + 1 > limit_)
            return overflow();
        if (!std::exchange(has_data_, true)) {   // mostly the only one
            line_data_ = value;
            data_in_buffer_ = true;
            return;
        }
        own_data();
        data_ += '\n';
        data_ += value;
    } else if (name == "event") {
        event_ = value;
    } else if (name == "id" && value.find('\0') == std::string_view::npos) {
        id_ = value;
    }
}

std::string_view SseReader::data() const
{
    return data_in_buffer_ ? line_data_ : std::string_view(data_);
}

void SseReader::own_data()
{
    if (std::exchange(data_in_buffer_, false))
        data_.assign(line_data_);
}

bool SseReader::give(SseEvent& event)
{
    const bool whole = has_data_;
    const bool in_buffer = std::exchange(data_in_buffer_, false);
    given_data_.swap(data_);
    data_.clear();
    if (!event_.empty() || !given_event_.empty()) {
        given_event_.swap(event_);
        event_.clear();
    }
    if (!id_.empty() || !given_id_.empty()) {
        given_id_.swap(id_);
        id_.clear();
    }
    has_data_ = false;
    if (whole)
        event = {given_event_, in_buffer ? line_data_ : std::string_view(given_data_), given_id_};
    return whole;
}

void SseReader::overflow()
{
    overflowed_ = true;
    for (std::string* text : {&buffer_, &data_, &event_, &id_})
        std::string().swap(*text);
    at_ = scanned_ = next_lf_ = 0;
    has_data_ = data_in_buffer_ = false;
}

void append_sse_event(std::string& out, std::string_view name, std::string_view data, std::string_view id)
{
    constexpr std::string_view line_ends("\r\n\0", 3);
    if (name.find_first_of(line_ends) != std::string_view::npos ||
        id.find_first_of(line_ends) != std::string_view::npos)
        throw InvariantBroken("name or id of an event holds a line end");
    if (!name.empty())
        out.append("event: ").append(name).append("\n");
    if (!id.empty())
        out.append("id: ").append(id).append("\n");
    for (;;) {
        const std::size_t end = std::min(data.find_first_of("\r\n"), data.size());
        out.append("data: ").append(data.substr(0, end)).append("\n");
        if (end == data.size())
            break;
        const bool pair = data[end] == '\r' && data.substr(end + 1).starts_with('\n');
        data.remove_prefix(end + (pair ? 2 : 1));
    }
    out.append("\n");
}

}  // namespace dure::http
