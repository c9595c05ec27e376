// Mail leaves the server behind the requests that cause it:
//   service -> Outgoing::enqueue (bounded, never waits) -> Mailer, a few side by side -> MailSender (outbox file, or SMTP)
// A mail that cannot be delivered is tried again a few times, then dropped and counted in the log. Texts of mails hold
// reset and verify tokens: they are never logged.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "dure/base/cores.hpp"
#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"

namespace dure::mail {

struct Mail {
    std::string to;        // one ASCII address without control characters, spaces or angle brackets
    std::string subject;   // ASCII, one line
    std::string text;      // UTF-8
};

// Where services put their mails.
class Outgoing {
public:
    virtual ~Outgoing() = default;
    // Takes it to be sent later; false when too many wait (or it has no valid address). Thread-safe.
    virtual bool enqueue(Mail mail) = 0;
};

// Delivers mails, several at once. invalid_argument: this mail will never go; anything else is worth another try.
class MailSender {
public:
    virtual ~MailSender() = default;
    virtual Task<Result<void>> send(const Mail& mail) = 0;
};

class Mailer final : public Outgoing {
public:
    struct Options {
        std::size_t capacity = 1000;
        std::size_t side_by_side = 4;
        int attempts = 9;  // 8.5 minutes: servers that put off who is new to them (greylisting) want about five
        std::chrono::milliseconds first_pause{2000};   // doubles with each attempt
    };

    // Works on the first core. cores and logger outlive it; destroy it after the cores have stopped.
    Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger);
    Mailer(Cores& cores, std::unique_ptr<MailSender> sender, Logger& logger, Options options);
    ~Mailer() override;

    bool enqueue(Mail mail) override;
    // Mails not yet delivered or given up, and of these those that do not wait for another attempt. They are in memory only.
    std::size_t undelivered() const;
    std::size_t due() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

// For development: mails are appended to a file of mode 0600 that only the operator reads, never to the log. The file is
// begun anew when it has reached 1 MiB.
std::unique_ptr<MailSender> outbox_sender(std::string path);

struct SmtpOptions {
    std::string host;
    std::uint16_t port = 587;
    bool tls_from_start = false;  // smtps://
    std::string user;  // empty: no authentication
    SecretString password;
    std::string from;
    std::string extra_ca_file;  // trusted besides the system's authorities
    std::chrono::milliseconds time_limit{30000};  // of one delivery
};

// smtp://[user:password@]host[:port] or smtps://…; user and password are percent-decoded. The error never holds the text.
Result<SmtpOptions> parse_smtp_url(const SecretString& url, std::string from);

// One connection per mail. STARTTLS whenever the server offers it; a password is sent over TLS only, except to loopback.
std::unique_ptr<MailSender> smtp_sender(SmtpOptions options);

// "name@host" in ASCII, at most 254 bytes, nothing that could end a header or a command.
bool valid_address(std::string_view address);

}  // namespace dure::mail
