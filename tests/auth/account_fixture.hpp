// The services of accounts over a real database, with a stepped clock and mails that are kept.
#pragma once

#include <gmock/gmock.h>

#include "auth/stepped_clock.hpp"
#include "dure/auth/accounts.hpp"
#include "dure/auth/administration.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/auth/tokens.hpp"
#include "dure/events/journal.hpp"
#include "dure/mail/mail.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/users.hpp"
#include "support/databases.hpp"
#include "support/run_task.hpp"

namespace dure::auth {

class KeptMails final : public mail::Outgoing {
public:
    bool enqueue(mail::Mail mail) override
    {
        all.push_back(std::move(mail));
        return true;
    }
    // The token in the newest mail: the line with dots.
    std::string token() const
    {
        const auto& text = all.back().text;
        const auto begin = text.find("eyJ");
        return text.substr(begin, text.find('\n', begin) - begin);
    }
    std::vector<mail::Mail> all;
};

class AccountsFixture : public testing::Test {
protected:
    static constexpr const char* good_password = "correct horse battery";

    AccountsFixture()
    {
        settings_.registration = "open";
        settings_.password_hash_memory = 64 << 10;   // hashes of a millisecond
        database_ = test::open_or_throw(test::sqlite_options(":memory:"));
        if (!sql::migrate(*database_, store::migrations(), 1))
            throw std::runtime_error("migrate");
        journal_ = std::make_unique<events::Journal>(*database_, *bus_, clock_);
        guesses_ = in_process_guesses(clock_, limits_);
        passwords_ = std::make_unique<Passwords>(settings_);
        const auto key = [](char c) { return SecretString(std::string(32, c)); };
        tokens_ = std::make_shared<const Tokens>(TokenKeys{key('a'), key('b'), key('c')}, settings_.token_lifetime);
        authenticator_ =
            std::make_unique<Authenticator>(*database_, clock_, logger_, settings_,
                                            Authenticator::Options{.tokens = tokens_, .guesses = guesses_.get()});
        accounts_ = std::make_unique<Accounts>(parts());
        administration_ = std::make_unique<Administration>(parts());
        keys_ = std::make_unique<KeyService>(*database_, *journal_, *authenticator_, clock_);
    }

    AccountParts parts()
    {
        return {*database_,  *journal_, clock_, logger_, *authenticator_,
                *passwords_, *guesses_, mails_, tokens_, settings_};
    }

    template <class T>
    static T finish(Task<T> task)
    {
        std::optional<T> outcome;
        test::run([&]() -> Task<void> { outcome.emplace(co_await std::move(task)); });
        return std::move(*outcome);
    }

    Account enrolled(const std::string& email, const std::string& role = "user")
    {
        auto made = finish(accounts_->enroll({email, SecretString(good_password), {}}, from_here()));
        if (!made)
            throw std::runtime_error(made.error().message());
        if (role != "user") {
            made->user.role = role;
            const auto stored =
                database_->run_now([&](sql::Connection& c) { return store::Users(c).update(made->user); });
            if (!stored)
                throw std::runtime_error(stored.error().message());
        }
        return *made;
    }

    Result<SecretString> log_in(const std::string& name, const std::string& password = good_password,
                                const std::string& address = "1.1.1.1")
    {
        return finish(accounts_->login(name, SecretString(password), {"", "", "r1", address}));
    }
    std::string token_for(const std::string& email) { return std::string(log_in(email).value().reveal()); }

    Result<Principal> enter(const std::string& credential, const std::string& address = "1.1.1.1")
    {
        const auto header = "Bearer " + credential;
        return finish(authenticator_->authenticate(header, address));
    }
    bool valid(const std::string& credential) { return enter(credential).has_value(); }

    static model::Actor from_here() { return {"", "", "r1", "9.9.9.9"}; }

    std::vector<std::string> events_of(const std::string& id)
    {
        store::AggregateQuery query;
        query.aggregate_id = id;
        auto rows = database_->run_now([&](sql::Connection& c) { return store::Events(c).of_aggregate(query); });
        std::vector<std::string> types;
        for (const auto& event : rows.value())
            types.push_back(event.event_type);
        return types;
    }

    HandClock clock_;
    Logger logger_{{LogLevel::error, true, {}}};
    config::Auth settings_;
    config::Limits limits_;
    KeptMails mails_;
    std::unique_ptr<sql::Database> database_;
    std::unique_ptr<events::Bus> bus_ = events::in_process_bus();
    std::unique_ptr<events::Journal> journal_;
    std::unique_ptr<GuessLimiter> guesses_;
    std::unique_ptr<Passwords> passwords_;
    std::shared_ptr<const Tokens> tokens_;
    std::unique_ptr<Authenticator> authenticator_;
    std::unique_ptr<Accounts> accounts_;
    std::unique_ptr<Administration> administration_;
    std::unique_ptr<KeyService> keys_;
};

}  // namespace dure::auth
