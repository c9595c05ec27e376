// The SMTP client (RFC 5321, 3207, 4954): one connection, one mail, plain lines.
//   connect -> 220 -> EHLO -> (STARTTLS -> EHLO) -> (AUTH) -> MAIL FROM -> RCPT TO -> DATA -> QUIT
// Answers 4xx are worth another try, 5xx are not. What the server says is foreign text: it goes to the log redacted.
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/base/tls.hpp"
#include "dure/mail/mail.hpp"
#include "mail/message.hpp"

namespace dure::mail {

namespace smtp {

namespace asio = boost::asio;
using asio::use_awaitable;
using Tcp = asio::ip::tcp;

constexpr std::size_t longest_answer = 64 * 1024;

struct Answer {
    int code = 0;
    std::string text;   // all lines
};

Error refused(const Answer& answer)
{
    const auto code = answer.code >= 500 && answer.code < 600 ? Errc::invalid_argument : Errc::unavailable;
    return Error(code, "The mail server refused the mail.")
        .detail(redact(to_valid_utf8(utf8_prefix(answer.text, 300))));
}

// The stream, plain until start_tls().
class Conversation {
public:
    Conversation(asio::any_io_executor executor, asio::ssl::context& context) : stream_(executor, context) {}

    Task<void> connect(const std::string& host, std::uint16_t port)
    {
        Tcp::resolver resolver(stream_.get_executor());
        const auto addresses =
            co_await resolver.async_resolve(host, std::to_string(port), Tcp::resolver::numeric_service, use_awaitable);
        co_await asio::async_connect(stream_.next_layer(), addresses, use_awaitable);
    }

    bool to_loopback() { return stream_.next_layer().remote_endpoint().address().is_loopback(); }
    bool secure() const { return secure_; }

    Task<void> start_tls(const std::string& host)
    {
        // What came in front of the handshake was not protected: it must not be taken for an answer (CVE-2011-0411).
        received_.clear();
        if (!expect_peer(stream_.native_handle(), host))
            throw std::runtime_error("the name of the mail server cannot be checked");
        co_await stream_.async_handshake(asio::ssl::stream_base::client, use_awaitable);
        secure_ = true;
    }

    Task<void> send(std::string text)
    {
        if (secure_)
            co_await asio::async_write(stream_, asio::buffer(text), use_awaitable);
        else
            co_await asio::async_write(stream_.next_layer(), asio::buffer(text), use_awaitable);
    }

    // "250-first", "250-second", "250 last".
    Task<Answer> receive()
    {
        Answer answer;
        for (;;) {
            const auto line = co_await receive_line();
            const bool numbered = line.size() >= 3 && line.find_first_not_of("0123456789") >= 3;
            if (!numbered || answer.text.size() + line.size() > longest_answer)
                throw std::runtime_error("not an SMTP answer");
            answer.code = std::stoi(line.substr(0, 3));
            answer.text += line + "\n";
            if (line.size() == 3 || line[3] != '-')
                co_return answer;
        }
    }

    Task<Answer> ask(std::string command)
    {
        co_await send(std::move(command) + "\r\n");
        co_return co_await receive();
    }

private:
    Task<std::string> receive_line()
    {
        auto buffer = asio::dynamic_buffer(received_, longest_answer);
        const auto size = secure_ ? co_await asio::async_read_until(stream_, buffer, "\n", use_awaitable)
                                  : co_await asio::async_read_until(stream_.next_layer(), buffer, "\n", use_awaitable);
        auto line = received_.substr(0, size);
        received_.erase(0, size);
        while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
            line.pop_back();
        co_return line;
    }

    asio::ssl::stream<Tcp::socket> stream_;
    std::string received_;
    bool secure_ = false;
};

bool offers(const Answer& answer, std::string_view extension)
{
    std::string_view text = answer.text;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        const auto word = line.size() > 4 ? line.substr(4, line.find(' ', 4) - 4) : std::string_view();
        if (equals_ignoring_case(word, extension))
            return true;
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return false;
}

// Among the words of the line AUTH; some servers write "AUTH=".
bool offers_login(const Answer& answer, std::string_view mechanism)
{
    std::string_view text = answer.text;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.size() < 9 || !equals_ignoring_case(line.substr(4, 4), "AUTH") || (line[8] != ' ' && line[8] != '='))
            continue;
        for (line.remove_prefix(9); !line.empty();) {
            const auto word = line.substr(0, line.find(' '));
            if (equals_ignoring_case(word, mechanism))
                return true;
            line.remove_prefix(std::min(line.size(), word.size() + 1));
        }
    }
    return false;
}

class Sender final : public MailSender {
public:
    explicit Sender(SmtpOptions options) : options_(std::move(options)), tls_(make_client_tls(options_.extra_ca_file)) {}

    Task<Result<void>> send(const Mail& mail) override
    {
        auto outcome = co_await with_timeout(deliver(mail), Deadline::after(options_.time_limit));
        if (!outcome)
            co_return Error(Errc::timeout, "The mail server did not take the mail in time.");
        co_return *outcome;
    }

private:
    Task<Result<void>> deliver(const Mail& mail)
    {
        Conversation server(co_await asio::this_coro::executor, *tls_);
        co_await server.connect(options_.host, options_.port);
        if (options_.tls_from_start)
            co_await server.start_tls(options_.host);
        DURE_CO_TRY_VOID(expect(co_await server.receive(), 220));
        DURE_CO_TRY_VOID(co_await greet(server));
        DURE_CO_TRY_VOID(expect(co_await server.ask("MAIL FROM:<" + options_.from + ">"), 250));
        DURE_CO_TRY_VOID(expect(co_await server.ask("RCPT TO:<" + mail.to + ">"), 250));
        DURE_CO_TRY_VOID(expect(co_await server.ask("DATA"), 354));
        co_await server.send(render_message(mail, options_.from, SystemClock().now()));
        DURE_CO_TRY_VOID(expect(co_await server.receive(), 250));
        co_await server.send("QUIT\r\n");  // the mail is taken; what is said about the farewell changes nothing
        co_return Result<void>();
    }

    Task<Result<void>> greet(Conversation& server)
    {
        const auto name = "EHLO [127.0.0.1]";  // a server behind NAT has no better name for itself
        auto extensions = co_await server.ask(name);
        DURE_CO_TRY_VOID(expect(extensions, 250));
        if (!server.secure() && offers(extensions, "STARTTLS")) {
            DURE_CO_TRY_VOID(expect(co_await server.ask("STARTTLS"), 220));
            co_await server.start_tls(options_.host);
            extensions = co_await server.ask(name);
            DURE_CO_TRY_VOID(expect(extensions, 250));
        }
        if (options_.user.empty())
            co_return Result<void>();
        co_return co_await log_in(server, extensions);
    }

    Task<Result<void>> log_in(Conversation& server, const Answer& extensions)
    {
        if (!server.secure() && !server.to_loopback())
            co_return Error(Errc::invalid_argument, "The mail server offers no TLS: the password is not sent to it.");
        const auto nul = std::string(1, '\0');
        if (offers_login(extensions, "PLAIN"))
            co_return co_await give(server, "AUTH PLAIN ",
                                    nul + options_.user + nul + std::string(options_.password.reveal()));
        if (!offers_login(extensions, "LOGIN"))
            co_return Error(Errc::invalid_argument,
                            "The mail server offers no way to log in that is known (AUTH PLAIN or LOGIN).");
        DURE_CO_TRY_VOID(expect(co_await server.ask("AUTH LOGIN"), 334));
        DURE_CO_TRY_VOID(expect(co_await server.ask(base64(options_.user)), 334));
        co_return co_await give(server, "", std::string(options_.password.reveal()));
    }

    // The last word of a log-in; what the server repeats of it is in no error.
    Task<Result<void>> give(Conversation& server, const std::string& command, const std::string& secret)
    {
        const auto encoded = base64(secret);
        auto answer = co_await server.ask(command + encoded);
        hide_value(answer.text, encoded);
        hide_value(answer.text, options_.password.reveal());
        co_return expect(answer, 235);
    }

    static Result<void> expect(const Answer& answer, int code)
    {
        if (answer.code == code || (code == 250 && answer.code == 251))
            return {};
        return refused(answer);
    }

    SmtpOptions options_;
    std::shared_ptr<asio::ssl::context> tls_;
};

}  // namespace smtp

std::unique_ptr<MailSender> smtp_sender(SmtpOptions options)
{
    return std::make_unique<smtp::Sender>(std::move(options));
}

}  // namespace dure::mail
