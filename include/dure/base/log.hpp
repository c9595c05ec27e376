// Structured logs: one JSON object per line, at most 8 KiB, values escaped, secrets replaced (by field name and by
// pattern). A Logger is made by the composition root and handed down by reference; it is thread-safe and never blocks
// longer than a write to a pipe or file. Message texts of users are logged at level debug only.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace dure {

enum class LogLevel { debug, info, warn, error };

struct LogField {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    LogField(std::string_view field, std::string_view text) : name(field), value(text) {}
    LogField(std::string_view field, const std::string& text) : name(field), value(std::string_view(text)) {}
    LogField(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
    LogField(std::string_view field, bool yes) : name(field), value(yes) {}
    LogField(std::string_view field, double number) : name(field), value(number) {}
    template <class Integer>
        requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
    LogField(std::string_view field, Integer number) : name(field), value(static_cast<std::int64_t>(number))
    {
    }
};

class Logger {
public:
    struct Options {
        LogLevel level = LogLevel::info;
        bool json = true;          // else one line of text for people
        std::string file;          // empty: standard error
    };
    explicit Logger(Options options);
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    bool enabled(LogLevel level) const { return level >= level_; }
    // `event` is a short constant sentence; what varies goes into fields.
    void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::debug, event, fields); }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::info, event, fields); }
    void warn(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::warn, event, fields); }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::error, event, fields); }
    // For lines that come with every request: written together with others, within `longest_delay`; a line of `write` takes those
    // before it along. A process that is killed may lose them.
    void write_soon(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
    void flush();

    static constexpr std::chrono::milliseconds longest_delay{50};

private:
    struct Sink;
    std::string line_of(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;

    LogLevel level_;
    bool json_;
    std::unique_ptr<Sink> sink_;
};

// The text with everything that looks like a credential replaced by "[redacted]": eyJ… (JWT), sk-…, dk_…, $argon2…,
// "Bearer …". Used by the logger on every value, and wherever foreign error texts are passed on.
std::string redact(std::string_view text);
// Replaces a secret that is known, wherever it stands; one shorter than 8 characters stays: it would be a part of words.
void hide_value(std::string& text, std::string_view secret);

}  // namespace dure
