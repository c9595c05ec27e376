// SMTP against a scripted server: the whole conversation, credentials, refusals, silence, TLS.
#include <gmock/gmock.h>

#include "dure/mail/mail.hpp"
#include "support/smtp_server.hpp"
#include "support/run_task.hpp"
#include "support/tls_upstream.hpp"

namespace dure::mail::smtp_tests {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Mail hello{"kim@example.kr", "Reset your password", "안녕하세요\n.\ncode eyJ.x.y\n"};

SmtpOptions options_for(const ScriptedSmtp& server)
{
    SmtpOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.from = "dure@example.kr";
    options.time_limit = std::chrono::seconds(10);
    return options;
}

Result<void> deliver(const SmtpOptions& options, const Mail& mail = hello)
{
    Result<void> outcome;
    test::run([&]() -> Task<void> {
        const auto sender = smtp_sender(options);
        bool thrown = false;
        try {
            outcome = co_await sender->send(mail);
        } catch (const boost::system::system_error&) {
            thrown = true;
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        if (thrown)
            outcome = Error(Errc::unavailable, "thrown");
    });
    return outcome;
}

}  // namespace

TEST(Smtp, DeliversAMailWordForWord)
{
    ScriptedSmtp server;
    const auto sent = deliver(options_for(server));
    ASSERT_TRUE(sent) << sent.error().message() << sent.error().detail();
    const auto commands = server.commands();
    ASSERT_GE(commands.size(), 4u);
    EXPECT_THAT(std::vector<std::string>(commands.begin(), commands.begin() + 4),
                ElementsAre("EHLO [127.0.0.1]", "MAIL FROM:<dure@example.kr>", "RCPT TO:<kim@example.kr>", "DATA"));
    const auto mail = server.mail();
    EXPECT_THAT(mail,
                AllOf(HasSubstr("From: <dure@example.kr>\n"), HasSubstr("To: <kim@example.kr>\n"),
                      HasSubstr("Subject: Reset your password\n"), HasSubstr("Date: "), HasSubstr("charset=utf-8")));
    EXPECT_THAT(mail, HasSubstr("\n\n" + base64(hello.text) + "\n"));
}

TEST(Smtp, GreetsWithACredentialWhenThereIsOne)
{
    ScriptedSmtp server;
    auto options = options_for(server);
    options.user = "dure";
    options.password = SecretString("pass word");
    ASSERT_TRUE(deliver(options));
    EXPECT_EQ(server.commands().at(1), "AUTH PLAIN " + base64(std::string("\0dure\0pass word", 15)));
}

TEST(Smtp, LogsInAsTheServerOffersIt)
{
    ScriptedSmtp server;
    auto options = options_for(server);
    options.user = "dure";
    options.password = SecretString("pass word");
    server.answer("ehlo", "250-mail.example\r\n250-AUTH LOGIN XOAUTH2\r\n250 8BITMIME\r\n");
    server.answer("auth", "334 VXNlcm5hbWU6\r\n");
    server.answer(ascii_lower(base64("dure")), "334 UGFzc3dvcmQ6\r\n");
    server.answer(ascii_lower(base64("pass word")), "235 welcome\r\n");
    const auto sent = deliver(options);
    ASSERT_TRUE(sent) << sent.error().message() << sent.error().detail();
    const auto commands = server.commands();
    ASSERT_GE(commands.size(), 4u);
    EXPECT_EQ(commands[1], "AUTH LOGIN");
    EXPECT_EQ(commands[3], base64("pass word"));
}

TEST(Smtp, NoPasswordGoesToAServerThatAsksForNone)
{
    ScriptedSmtp server;
    auto options = options_for(server);
    options.user = "dure";
    options.password = SecretString("pass word");
    for (const auto* offered : {"250 8BITMIME\r\n", "250-AUTHX PLAIN\r\n250 AUTH CRAM-MD5 XPLAIN\r\n"}) {
        server.answer("ehlo", offered);
        const auto refused = deliver(options);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::invalid_argument);
        EXPECT_THAT(refused.error().message(), HasSubstr("AUTH PLAIN or LOGIN"));
    }
    EXPECT_THAT(server.commands(), testing::Each(StartsWith("EHLO")));
}

TEST(Smtp, SaysWhetherAnotherTryIsWorthIt)
{
    const struct {
        const char* word;
        const char* answer;
        Errc code;
    } cases[] = {
        {"greeting", "421 busy\r\n", Errc::unavailable},
        {"greeting", "554 no service\r\n", Errc::invalid_argument},
        {"ehlo", "502 no\r\n", Errc::invalid_argument},
        {"mail", "451 later\r\n", Errc::unavailable},
        {"rcpt", "550-no such\r\n550 user\r\n", Errc::invalid_argument},
        {"rcpt", "450 mailbox busy\r\n", Errc::unavailable},
        {"data", "451 later\r\n", Errc::unavailable},
        {".", "452 disk full\r\n", Errc::unavailable},
        {".", "554 spam\r\n", Errc::invalid_argument},
        {"mail", "hello?\r\n", Errc::unavailable},
        {"mail", "25\r\n", Errc::unavailable},
    };
    for (const auto& one : cases) {
        ScriptedSmtp server;
        server.answer(one.word, one.answer);
        const auto sent = deliver(options_for(server));
        ASSERT_FALSE(sent) << one.word << one.answer;
        EXPECT_EQ(sent.error().code(), one.code) << one.word << one.answer;
    }
}

TEST(Smtp, ASilentServerIsGivenUpInTime)
{
    ScriptedSmtp server;
    server.answer("mail", "");
    auto options = options_for(server);
    options.time_limit = std::chrono::milliseconds(200);
    EXPECT_EQ(deliver(options).error().code(), Errc::timeout);
}

TEST(Smtp, AnEndlessAnswerIsGivenUp)
{
    ScriptedSmtp server;
    server.answer("ehlo", std::string(200000, '2'));
    EXPECT_FALSE(deliver(options_for(server)));
}

TEST(Smtp, ForeignTextsAreRedacted)
{
    ScriptedSmtp server;
    server.answer("rcpt", "550 Bearer sk-abcdefghijklmnopqrstuvwxyz0123456789\r\n");
    EXPECT_THAT(deliver(options_for(server)).error().detail(), Not(HasSubstr("abcdefghijklmnop")));
}

TEST(Smtp, TakesTlsWhenItIsOfferedAndAuthenticatesBehindIt)
{
    test::TlsUpstreamIdentity identity;
    ScriptedSmtp server(identity.context());
    auto options = options_for(server);
    options.extra_ca_file = identity.authority_file();
    options.user = "dure";
    options.password = SecretString("secret");
    const auto sent = deliver(options);
    ASSERT_TRUE(sent) << sent.error().message() << sent.error().detail();
    const auto commands = server.commands();
    ASSERT_GE(commands.size(), 4u);
    EXPECT_EQ(commands[1], "STARTTLS");
    EXPECT_THAT(commands[2], StartsWith("EHLO"));
    EXPECT_THAT(commands[3], StartsWith("AUTH PLAIN"));
}

TEST(Smtp, AnUnknownCertificateGetsNothing)
{
    test::TlsUpstreamIdentity identity;
    ScriptedSmtp server(identity.context());
    EXPECT_FALSE(deliver(options_for(server)));
    EXPECT_THAT(server.commands(), ElementsAre("EHLO [127.0.0.1]", "STARTTLS"));
}

TEST(SmtpUrl, ReadsItsParts)
{
    const auto full = parse_smtp_url(SecretString("smtp://us%40er:p%3Ass@mail.example:2525"), "dure@example.kr");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->host, "mail.example");
    EXPECT_EQ(full->port, 2525);
    EXPECT_EQ(full->user, "us@er");
    EXPECT_EQ(full->password.reveal(), "p:ss");
    EXPECT_FALSE(full->tls_from_start);
    const auto tls = parse_smtp_url(SecretString("smtps://[::1]/"), "dure@example.kr");
    ASSERT_TRUE(tls);
    EXPECT_EQ(tls->host, "::1");
    EXPECT_EQ(tls->port, 465);
    EXPECT_TRUE(tls->tls_from_start);
}

TEST(SmtpUrl, RefusesWhatIsNoneWithoutShowingIt)
{
    for (const auto* text : {"", "http://x", "smtp://", "smtp://user:p@", "smtp://h:0", "smtp://h:99999", "smtp://h:2x",
                             "smtp://u%zz:secret@h", "smtp://u%0d%0a:secret@h", "smtp://:secret@h", "smtp://h/x y"}) {
        const auto read = parse_smtp_url(SecretString(text), "dure@example.kr");
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error().message(), Not(HasSubstr("secret"))) << text;
    }
    EXPECT_FALSE(parse_smtp_url(SecretString("smtp://h"), "no address"));
}

TEST(MailAddress, IsSafeInCommandsAndHeaders)
{
    for (const auto* good : {"kim@example.kr", "a.b+c@x-y.example", "admin@localhost", "o'neil@e.org"})
        EXPECT_TRUE(valid_address(good)) << good;
    for (const auto& bad : std::vector<std::string>{"",
                                                    "@",
                                                    "a@",
                                                    "@b",
                                                    "a b@c",
                                                    "a@b c",
                                                    "a\r\n@b",
                                                    "a@b\n",
                                                    "a@b>",
                                                    "<a@b",
                                                    "a@-b",
                                                    "a@b.",
                                                    "a@.b",
                                                    "a@b..c",
                                                    ".a@b",
                                                    "a.@b",
                                                    "a..b@c",
                                                    "ä@b",
                                                    "a@ä",
                                                    std::string("a\0@b", 4),
                                                    std::string(65, 'a') + "@b",
                                                    "a@" + std::string(64, 'b'),
                                                    "a@b@c d",
                                                    "\"a b\"@c"})
        EXPECT_FALSE(valid_address(bad)) << bad;
}

}  // namespace dure::mail::smtp_tests
