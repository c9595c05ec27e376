// Logger: renders a line (JSON or text), redacts, cuts at 8 KiB, hands it to spdlog's sink. See log.hpp.
#include "dure/base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure {

namespace {

constexpr std::size_t longest_line = 8 * 1024;
constexpr std::size_t longest_value = 2 * 1024;

// Field names whose values are secrets whatever they look like.
bool secret_name(std::string_view name)
{
    static constexpr std::array<std::string_view, 9> names = {
        "authorization", "password", "token", "secret", "api_key", "cookie", "key", "ticket", "credential"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view name_of(LogLevel level)
{
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
    }
    return "error";
}

std::string text_of(const LogField& field)
{
    if (secret_name(field.name))
        return "[redacted]";
    struct Visitor {
        std::string operator()(std::string_view text) const { return redact(utf8_prefix(text, longest_value)); }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(bool yes) const { return yes ? "true" : "false"; }
        std::string operator()(double number) const
        {
            if (!std::isfinite(number))
                return "null";
            char buffer[32];
            const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
            return std::string(buffer, end);
        }
    };
    return std::visit(Visitor{}, field.value);
}

void append_json_field(std::string& line, const LogField& field)
{
    line += ',';
    append_json_string(line, field.name, JsonEscape::for_logs);
    line += ':';
    if (std::holds_alternative<std::string_view>(field.value) || secret_name(field.name))
        append_json_string(line, text_of(field), JsonEscape::for_logs);
    else
        line += text_of(field);
}

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields)
{
    std::string line = "{\"time\":\"" + rfc3339(SystemClock().now()) + "\",\"level\":\"";
    line += name_of(level);
    line += "\",\"event\":";
    append_json_string(line, redact(event), JsonEscape::for_logs);
    for (const auto& field : fields) {
        const auto before = line.size();
        append_json_field(line, field);
        if (line.size() > longest_line - 64) {   // whole fields only: a cut line would not be JSON
            line.resize(before);
            line += ",\"truncated\":true";
            break;
        }
    }
    line += '}';
    return line;
}

std::string text_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields)
{
    std::string line = rfc3339(SystemClock().now());
    line += ' ';
    line += name_of(level);
    line += ' ';
    append_json_escaped(line, redact(event), JsonEscape::for_logs);
    for (const auto& field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        append_json_escaped(line, text_of(field), JsonEscape::for_logs);
    }
    return std::string(utf8_prefix(line, longest_line));
}

// Standard error, with lines kept together until they are flushed: spdlog's own sink flushes each.
class StandardErrorSink : public spdlog::sinks::base_sink<std::mutex> {
    static constexpr std::size_t most_kept = 64 * 1024;

    void sink_it_(const spdlog::details::log_msg& message) override
    {
        spdlog::memory_buf_t formatted;
        formatter_->format(message, formatted);
        kept_.append(formatted.data(), formatted.size());
        if (kept_.size() >= most_kept)
            flush_();
    }
    void flush_() override
    {
        std::fwrite(kept_.data(), 1, kept_.size(), stderr);
        std::fflush(stderr);
        kept_.clear();
    }

    std::string kept_;
};

}  // namespace

// Lines of `write` are spdlog's level info, which flushes; those of `write_soon` its level debug, which a thread flushes.
struct Logger::Sink {
    std::shared_ptr<spdlog::logger> target;
    std::atomic<bool> waiting{false};
    std::mutex mutex;
    std::condition_variable_any woken;
    std::jthread flusher;

    void flush_later()
    {
        if (waiting.exchange(true))
            return;
        const std::lock_guard lock(mutex);
        if (!flusher.joinable())
            flusher = std::jthread([this](const std::stop_token& stop) { flush_until(stop); });
        woken.notify_one();
    }
    void flush_until(const std::stop_token& stop)
    {
        std::unique_lock lock(mutex);
        while (woken.wait(lock, stop, [this] { return waiting.load(); })) {
            woken.wait_for(lock, stop, longest_delay, [] { return false; });
            waiting = false;
            lock.unlock();
            target->flush();
            lock.lock();
        }
    }
    ~Sink()
    {
        if (flusher.joinable()) {
            flusher.request_stop();
            flusher.join();
        }
        if (target)  // null when its file could not be opened
            target->flush();
    }
};

namespace {

std::shared_ptr<spdlog::sinks::sink> sink_for(const std::string& file)
{
    if (file.empty())
        return std::make_shared<StandardErrorSink>();
    try {
        return std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    } catch (const spdlog::spdlog_ex& problem) {
        throw std::runtime_error(std::string("log.file: ") + problem.what());
    }
}

}  // namespace

Logger::Logger(Options options) : level_(options.level), json_(options.json), sink_(std::make_unique<Sink>())
{
    sink_->target = std::make_shared<spdlog::logger>("dure", sink_for(options.file));
    sink_->target->set_pattern("%v");
    sink_->target->set_level(spdlog::level::trace);
    sink_->target->flush_on(spdlog::level::info);
}

Logger::~Logger() = default;

std::string Logger::line_of(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const
{
    return json_ ? json_line(level, event, fields) : text_line(level, event, fields);
}

void Logger::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields)
{
    if (enabled(level))
        sink_->target->log(spdlog::level::info, "{}", line_of(level, event, fields));
}

void Logger::write_soon(LogLevel level, std::string_view event, std::initializer_list<LogField> fields)
{
    if (!enabled(level))
        return;
    sink_->target->log(spdlog::level::debug, "{}", line_of(level, event, fields));
    sink_->flush_later();
}

void Logger::flush()
{
    sink_->target->flush();
}

namespace {

bool credential_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == '$' || c == '=' || c == '+' || c == '/' || c == ',';
}

bool word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

struct CredentialPattern {
    std::string_view start;
    std::size_t least;  // characters behind the start that make it a credential
    bool whole_word;  // not in the middle of another word ("task-1" holds "sk-1")
};

constexpr std::array<CredentialPattern, 6> credential_patterns = {{{"eyJ", 10, true},
                                                                   {"sk-", 6, true},
                                                                   {"dk_", 6, true},
                                                                   {"$argon2", 4, false},
                                                                   {"Bearer ", 4, true},
                                                                   {"bearer ", 4, true}}};

bool may_begin_credential(char c)
{
    return std::any_of(credential_patterns.begin(), credential_patterns.end(),
                       [c](const CredentialPattern& pattern) { return pattern.start.front() == c; });
}

}  // namespace

void hide_value(std::string& text, std::string_view secret)
{
    constexpr std::string_view hidden = "[redacted]";
    constexpr std::size_t shortest = 8;
    if (secret.size() < shortest)
        return;
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += hidden.size())
        text.replace(at, secret.size(), hidden);
}

std::string redact(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        auto plain = at;
        while (plain < text.size() && !may_begin_credential(text[plain]))
            ++plain;
        out += text.substr(at, plain - at);
        at = plain;
        std::size_t length = 0;
        for (const auto& pattern : credential_patterns) {
            if (!text.substr(at).starts_with(pattern.start))
                continue;
            if (pattern.whole_word && at > 0 && word_char(text[at - 1]))
                continue;
            std::size_t end = at + pattern.start.size();
            while (end < text.size() && credential_char(text[end]))
                ++end;
            if (end - at - pattern.start.size() >= pattern.least)
                length = end - at;
        }
        if (length > 0) {
            out += "[redacted]";
            at += length;
        } else if (at < text.size()) {
            out += text[at++];
        }
    }
    return out;
}

}  // namespace dure
