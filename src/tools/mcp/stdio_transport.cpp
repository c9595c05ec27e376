// The transport over a child process; see stdio_transport.hpp. Two readers (output, errors) run beside the writers, one
// message is written at a time. The end of the output is the end of the connection.
#include "tools/mcp/stdio_transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "tools/mcp/child.hpp"
#include "tools/mcp/line_reader.hpp"
#include "tools/mcp/protocol.hpp"
#include "tools/mcp/wait_list.hpp"

namespace dure::tools::mcp {
namespace stdio_parts {

constexpr std::size_t longest_error_line = 4096;
constexpr std::size_t most_error_bytes = 1u << 20;  // of one process; after that its errors are read and dropped
constexpr auto quietly = boost::asio::as_tuple(boost::asio::use_awaitable);

Error lost(std::string detail)
{
    return Error(Errc::upstream_failed, "The tool server's process has ended.")
        .reason("lost")
        .detail(std::move(detail));
}

// The readers hold it too: they end when the pipes are closed.
class Pipes : public std::enable_shared_from_this<Pipes> {
public:
    Pipes(boost::asio::any_io_executor executor, StdioOptions options, Logger& logger, TransportEvents events)
        : executor_(executor), options_(std::move(options)), logger_(logger), events_(std::move(events)),
          child_(executor), written_(executor)
    {}

    Result<void> open()
    {
        if (auto started = child_.start(options_.command, options_.environment); !started)
            return started.error();
        boost::asio::co_spawn(executor_, read_output(shared_from_this()), boost::asio::detached);
        boost::asio::co_spawn(executor_, read_errors(shared_from_this()), boost::asio::detached);
        return boost::system::in_place_value;
    }

    Task<Result<void>> send(std::string message, Deadline deadline)
    {
        message += '\n';
        while (writing_ && !deadline.passed())
            co_await written_.wait(deadline);
        if (writing_)
            co_return Error(Errc::timeout, "The tool server does not read what it is sent.").reason("read_timeout");
        if (!child_.input.is_open())
            co_return lost("its input is closed");
        writing_ = true;
        struct Done {
            Pipes& self;
            ~Done() { self.writing_ = false, self.written_.notify_all(); }
        } const done{*this};
        // A message that is cut in its middle would spoil the next: the connection ends with it.
        bool whole = false;
        try {
            whole = co_await with_timeout(write_all(message), deadline) && !failed_;
        } catch (...) {
            break_off();
            throw;
        }
        if (whole)
            co_return Result<void>();
        break_off();
        co_return lost("writing failed");
    }

    Task<void> close(Deadline deadline)
    {
        events_ = {};
        co_await child_.stop(deadline);
    }

    // Without close(): nobody is told any more, the readers end.
    void abandon()
    {
        events_ = {};
        boost::system::error_code ignored;  // what is closed already needs no closing
        child_.input.close(ignored);
        child_.output.close(ignored);
        child_.errors.close(ignored);
    }

private:
    Task<void> write_all(const std::string& message)
    {
        const auto [error, sent] =
            co_await boost::asio::async_write(child_.input, boost::asio::buffer(message), quietly);
        failed_ = error || sent != message.size();
    }

    void break_off()
    {
        boost::system::error_code ignored;  // it may be closed already
        child_.input.close(ignored);
    }

    // Detached: it must not throw, and its errors are those of the pipe.
    Task<void> read_output(std::shared_ptr<Pipes>)
    {
        LineReader lines(longest_message);
        std::string bytes(64 * 1024, '\0');
        for (;;) {
            const auto [error, got] = co_await child_.output.async_read_some(boost::asio::buffer(bytes), quietly);
            if (error)
                break;
            lines.feed(std::string_view(bytes).substr(0, got));
            std::string_view line;
            for (auto found = lines.next(line); found != LineReader::Found::nothing; found = lines.next(line))
                found == LineReader::Found::line ? take_line(line) : pass_over(lines.skipped());
        }
        if (events_.on_lost)
            std::exchange(events_.on_lost, nullptr)("its process ended or closed its output");
    }

    void take_line(std::string_view line)
    {
        if (trim(line).empty())
            return;
        auto messages = read_messages(line);
        if (!messages)  // servers that print to their output by mistake are common
            return logger_.warn("tool server printed what is no message",
                                {{"server", options_.server}, {"text", utf8_prefix(line, 200)}});
        for (auto& message : *messages)
            if (events_.on_message)
                events_.on_message(std::move(message));
    }

    void pass_over(const IdFinder& message)
    {
        logger_.warn("tool server sent too much at once, the message is passed over",
                     {{"server", options_.server}, {"longest", longest_message}});
        if (!message.is_call() && events_.on_too_long)
            events_.on_too_long(message.response_id());
    }

    Task<void> read_errors(std::shared_ptr<Pipes>)
    {
        LineReader lines(longest_error_line);
        std::string bytes(4096, '\0');
        std::size_t all = 0;
        for (;;) {
            const auto [error, got] = co_await child_.errors.async_read_some(boost::asio::buffer(bytes), quietly);
            if (error)
                co_return;
            all += got;
            if (all > most_error_bytes)
                continue;
            lines.feed(std::string_view(bytes).substr(0, got));
            std::string_view line;
            for (auto found = lines.next(line); found != LineReader::Found::nothing; found = lines.next(line))
                log_line(found == LineReader::Found::line ? line : "[a line that is too long]");
        }
    }

    // Programs like to print their settings.
    void log_line(std::string_view line)
    {
        auto text = to_valid_utf8(line);
        for (const auto& secret : options_.secrets)
            hide_value(text, secret);
        logger_.info("tool server says", {{"server", options_.server}, {"text", text}});
    }

    boost::asio::any_io_executor executor_;
    const StdioOptions options_;
    Logger& logger_;
    TransportEvents events_;
    Child child_;
    WaitList written_;
    bool writing_ = false;
    bool failed_ = false;
};

class StdioTransport final : public Transport {
public:
    explicit StdioTransport(std::shared_ptr<Pipes> pipes) : pipes_(std::move(pipes)) {}
    ~StdioTransport() override { pipes_->abandon(); }

    Task<Result<void>> open() override { co_return pipes_->open(); }
    Task<Result<void>> send(std::string message, std::optional<std::int64_t>, Deadline deadline) override
    {
        co_return co_await pipes_->send(std::move(message), deadline);
    }
    void initialized(const std::string&) override {}
    Task<void> close(Deadline deadline) override { co_return co_await pipes_->close(deadline); }

private:
    const std::shared_ptr<Pipes> pipes_;
};

}  // namespace stdio_parts

std::unique_ptr<Transport> make_stdio_transport(boost::asio::any_io_executor executor, StdioOptions options,
                                                Logger& logger, TransportEvents events)
{
    using namespace stdio_parts;
    return std::make_unique<StdioTransport>(
        std::make_shared<Pipes>(std::move(executor), std::move(options), logger, std::move(events)));
}

}  // namespace dure::tools::mcp
