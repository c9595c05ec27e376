// Server-sent events without sockets: a reader fed with bytes split anywhere, and writers for single events.
// Rules: llm-upstreams §2 (reading), openai-clients §6.1 (writing).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dure/base/error.hpp"

namespace dure::http {

struct SseEvent {
    std::string_view event;   // "" when the event has no such field
    std::string_view data;    // several data lines joined by LF
    std::string_view id;
};

// read() until it returns false, for each piece that comes. Or, where the bytes do not stay: feed(), then next() until it returns
// false. The views of an event live until the next call of any of them, and no longer than the bytes that were read.
// Handles LF, CR, CRLF (also split between reads), a leading BOM, comments, any order of fields.
class SseReader {
public:
    explicit SseReader(std::size_t longest_event = 4u << 20) : limit_(longest_event) {}

    // The next event, cut off the front of `bytes`. False: they are used up, the rest is kept for the next piece. An event of one
    // data line, as those of a stream of tokens are, is read where it stands.
    bool read(std::string_view& bytes, SseEvent& event);
    // Nothing of an event has been read: who knows the lines that come may take whole events off the bytes instead of read().
    bool between_events() const
    {
        return at_ == buffer_.size() && !has_data_ && !after_cr_ && event_.empty() && id_.empty() && !overflowed_;
    }
    void feed(std::string_view bytes);
    bool next(SseEvent& event);
    // At the end of the body, instead of next(): also gives a last event that was not closed by an empty line, if it is
    // [DONE] or whole JSON; any other was cut and is dropped.
    bool finish(SseEvent& event);
    // A line or event over the bound was met; nothing more is given out.
    bool overflowed() const { return overflowed_; }

private:
    bool take_whole(std::string_view& bytes, SseEvent& event);
    bool take_line(std::string_view& line);
    void apply_line(std::string_view line);
    bool give(SseEvent& event);
    std::string_view data() const;  // of the event being read
    void own_data();  // before the buffer changes
    void overflow();

    // What take_whole() looks at stands together: it is asked once a token.
    std::size_t limit_;
    std::size_t at_ = 0;  // start of the first unread byte in buffer_
    bool has_data_ = false;
    bool data_in_buffer_ = false;
    bool first_line_ = true;
    bool after_cr_ = false;
    bool overflowed_ = false;
    std::string buffer_;
    std::string event_, id_;
    std::size_t scanned_ = 0;  // up to here no line end was found
    std::size_t next_lf_ = 0;
    std::string_view line_data_;  // of an event with one data line so far: a part of buffer_
    std::string data_;
    std::string given_data_, given_event_, given_id_;
};

// "event: name\nid: 7\ndata: line\n\n"; empty name or id: left out. Data with line ends becomes several data lines.
void append_sse_event(std::string& out, std::string_view name, std::string_view data, std::string_view id = {});

inline constexpr std::string_view sse_keep_alive = ": keep-alive\n";  // one newline: openai-clients §6.1

}  // namespace dure::http
