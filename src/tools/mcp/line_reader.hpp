// Bytes of a program's output become lines. A line over the bound is not kept: it is read to its end, and what remains of
// it is whose answer it was, so that one answer that is too long costs one call and not the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dure::tools::mcp {

// Finds the member "id" of the one JSON object that passes by in pieces, wherever it stands; keeps a few bytes.
class IdFinder {
public:
    void feed(std::string_view bytes);
    // Of a response with a whole number; empty for everything else.
    std::optional<std::int64_t> response_id() const;
    // It has a "method": a request or a notification of the server, nobody waits for it.
    bool is_call() const { return has_method_; }

private:
    void in_string(char c);
    void outside(char c);

    std::int64_t depth_ = 0;
    bool string_ = false;
    bool escaped_ = false;
    bool value_ = false;  // behind a colon of the outermost object
    bool has_method_ = false;
    std::string text_;  // of the string or number that is read there; longer ones are cut
    std::string key_;
    std::string id_;
};

class LineReader {
public:
    enum class Found { nothing, line, too_long };

    explicit LineReader(std::size_t longest) : longest_(longest) {}
    void feed(std::string_view bytes);
    // The next whole line without its end; the view lives until the next call of either. too_long: one has been passed over,
    // skipped() tells of it until the next call.
    Found next(std::string_view& line);
    const IdFinder& skipped() const { return skipped_; }

private:
    Found skip();

    const std::size_t longest_;
    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t scanned_ = 0;
    bool skipping_ = false;
    IdFinder skipped_;
};

}  // namespace dure::tools::mcp
