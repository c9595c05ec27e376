// Everything around accounts, built in one place: credentials, limits on guessing, mail, the services behind the routes.
#pragma once

#include <memory>

#include "dure/auth/accounts.hpp"
#include "dure/auth/administration.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/auth/tokens.hpp"
#include "dure/base/cores.hpp"
#include "dure/config/settings.hpp"
#include "dure/events/journal.hpp"
#include "dure/mail/mail.hpp"

namespace dure::app {

// The configured one. invalid_argument when its address or sender is malformed.
Result<std::unique_ptr<mail::MailSender>> mail_sender(const config::Settings& settings);

// The keys of tokens, each derived from the secret for its use alone.
auth::TokenKeys token_keys(const SecretString& secret);

// The order of the members is the order in which they need each other.
struct People {
    People(const config::Settings& settings, sql::Database& database, events::Journal& journal, const Clock& clock,
           Logger& logger, Cores& cores, const SecretString& secret, std::unique_ptr<mail::MailSender> sender,
           std::unique_ptr<auth::GuessLimiter> guess_limiter)
        : tokens(std::make_shared<const auth::Tokens>(token_keys(secret), settings.auth.token_lifetime)),
          guesses(std::move(guess_limiter)), passwords(settings.auth), mailer(cores, std::move(sender), logger),
          authenticator(database, clock, logger, settings.auth, {.tokens = tokens, .guesses = guesses.get(), .journal = &journal}),
          accounts(parts(settings, database, journal, clock, logger)),
          administration(parts(settings, database, journal, clock, logger)),
          keys(database, journal, authenticator, clock)
    {}

    auth::AccountParts parts(const config::Settings& settings, sql::Database& database, events::Journal& journal,
                             const Clock& clock, Logger& logger)
    {
        return {database, journal, clock, logger, authenticator, passwords, *guesses, mailer, tokens, settings.auth};
    }

    std::shared_ptr<const auth::Tokens> tokens;
    std::unique_ptr<auth::GuessLimiter> guesses;
    auth::Passwords passwords;
    mail::Mailer mailer;
    auth::Authenticator authenticator;
    auth::Accounts accounts;
    auth::Administration administration;
    auth::KeyService keys;
};

}  // namespace dure::app
