// The administrative commands; see administration.hpp.
#include "app/administration.hpp"

#include <openssl/crypto.h>
#include <sqlite3.h>

#include <boost/version.hpp>
#include <filesystem>
#include <iostream>

#include "app/first_start.hpp"
#include "app/storage.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/base/clock.hpp"
#include "dure/events/journal.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/users.hpp"

namespace dure::app {

namespace {

int failed(const std::string& why)
{
    std::cerr << "dure: " << why << std::endl;
    return 1;
}

// The operator reads this, so the cause is told too.
int failed(const Error& error)
{
    return failed(error.message() + (error.detail().empty() ? "" : " (" + error.detail() + ")"));
}

// "90d", "12h", "30m", "45s" from now, or a point in time.
std::optional<UnixMillis> end_of(const std::string& text, UnixMillis now)
{
    if (const auto point = parse_rfc3339(text))
        return point;
    std::size_t digits = 0;
    std::int64_t count = 0;
    while (digits < text.size() && digits < 6 && text[digits] >= '0' && text[digits] <= '9')
        count = count * 10 + (text[digits++] - '0');
    const auto unit = text.substr(digits);
    const std::int64_t seconds = unit == "d" ? 86'400 : unit == "h" ? 3'600 : unit == "m" ? 60 : unit == "s" ? 1 : 0;
    if (digits == 0 || seconds == 0)
        return std::nullopt;
    return now + count * seconds * 1'000;
}

Result<model::User> owner_of(sql::Database& database, const std::string& email)
{
    return database.run_now([&](sql::Connection& connection) { return store::Users(connection).find_by_email(email); });
}

}  // namespace

int admin_create(const config::Settings& settings, const AdminCreate& options)
{
    if (options.email.find('@') == std::string::npos)
        return failed("--email must be an e-mail address");
    std::string typed;
    if (options.password_stdin && !std::getline(std::cin, typed))
        return failed("there is no password on standard input");
    const SecretString password(options.password_stdin ? typed : random_password());
    auto storage = open_storage(settings, DatabaseUse::administer, {});
    if (!storage)
        return failed(storage.error());
    const auto made = create_admin(*storage->database, settings, options.email, password);
    if (!made && made.error().code() == Errc::conflict)
        return failed("there is an account with this e-mail address already");
    if (!made)
        return failed(made.error());
    std::cout << "admin e-mail:   " << options.email << "\n";
    if (!options.password_stdin)
        std::cout << "admin password: " << password.reveal() << "\n";
    return 0;
}

int key_create(const config::Settings& settings, const KeyCreate& options)
{
    const auto now = SystemClock().now();
    auth::NewKey wanted;
    wanted.name = options.name;
    if (!options.permissions.empty())
        wanted.permissions = options.permissions;
    if (!options.expires.empty()) {
        wanted.expires_at = end_of(options.expires, now);
        if (!wanted.expires_at || *wanted.expires_at <= now)
            return failed("--expires must be a time to come (2027-01-31T00:00:00Z) or a duration (90d, 12h, 30m, 45s)");
    }
    auto storage = open_storage(settings, DatabaseUse::administer, {});
    if (!storage)
        return failed(storage.error());
    const auto owner = owner_of(*storage->database, options.email);
    if (!owner && owner.error().code() == Errc::not_found)
        return failed("there is no account with the e-mail address " + options.email);
    if (!owner)
        return failed(owner.error());
    const auto made = storage->database->run_now([&](sql::Connection& connection) -> Result<auth::MadeKey> {
        events::Batch batch(now);
        auto key = auth::KeyService::create_in(connection, batch, owner->id, wanted, now);
        if (!key)
            return key;
        if (auto stored = batch.store(connection); !stored)
            return stored.error();
        return key;
    });
    if (!made)
        return failed(made.error());
    std::cout << made->key.reveal() << std::endl;
    return 0;
}

int migrate(const config::Settings& settings)
{
    const auto storage = open_storage(settings, DatabaseUse::administer, {});
    if (!storage)
        return failed(storage.error());
    for (const auto& name : storage->migrations.applied)
        std::cout << "applied " << name << "\n";
    std::cout << storage->description << " is at version " << storage->migrations.version << "\n";
    return 0;
}

int migrate_status(const config::Settings& settings)
{
    // An empty one in memory stands for a file that is not there: opening that would make it.
    const bool absent = settings.sqlite() && !settings.in_memory() && !std::filesystem::exists(settings.sqlite_path());
    auto looked_at = settings;
    if (absent)
        looked_at.database.url = SecretString("sqlite::memory:");
    const auto storage = open_storage(looked_at, DatabaseUse::inspect, {});
    if (!storage)
        return failed(storage.error());
    const auto state = sql::look_at_migrations(*storage->database, store::migrations());
    if (!state)
        return failed(state.error());
    for (const auto& name : state->applied)
        std::cout << "applied " << name << "\n";
    for (const auto& name : state->pending)
        std::cout << "pending " << name << "\n";
    if (absent)
        std::cout << "sqlite " << settings.sqlite_path() << " is not there yet\n";
    else
        std::cout << storage->description << " is at version " << state->version << "\n";
    return state->refusal ? failed("a start would refuse this: " + state->refusal->message()) : 0;
}

std::string library_versions()
{
    return "boost " + std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) + "\n" +
           OpenSSL_version(OPENSSL_VERSION) + "\n" + "sqlite " + sqlite3_libversion() + "\n";
}

}  // namespace dure::app
