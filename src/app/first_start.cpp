// The first administrator; see first_start.hpp.
#include "app/first_start.hpp"

#include <iostream>

#include "app/address.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/base/clock.hpp"
#include "dure/events/journal.hpp"
#include "dure/store/users.hpp"

namespace dure::app {

namespace {

struct State {
    bool any_user = false;
    bool any_admin = false;
};

Result<State> state_of(sql::Database& database)
{
    return database.run_now([](sql::Connection& connection) -> Result<State> {
        store::Users users(connection);
        const auto count = users.count();
        if (!count)
            return count.error();
        const auto admin = users.any_admin();
        if (!admin)
            return admin.error();
        return State{*count > 0, *admin};
    });
}

Result<SecretString> create_first_key(sql::Database& database, const std::string& owner_id)
{
    auth::NewKey wanted;
    wanted.name = "first key";
    const auto now = SystemClock().now();
    auto made = database.run_now([&](sql::Connection& connection) -> Result<auth::MadeKey> {
        events::Batch batch(now);
        auto key = auth::KeyService::create_in(connection, batch, owner_id, wanted, now);
        if (!key)
            return key;
        if (auto stored = batch.store(connection); !stored)
            return stored.error();
        return key;
    });
    if (!made)
        return made.error();
    return std::move(made->key);
}

// Replicas that start together on an empty database all want to make the administrator of ADMIN_EMAIL; one does.
Result<std::optional<FirstAdmin>> already_there(sql::Database& database)
{
    const auto state = state_of(database);
    if (!state)
        return state.error();
    if (!state->any_admin)
        return Error(Errc::conflict, "ADMIN_EMAIL is the address of an account that is no active administrator");
    return std::optional<FirstAdmin>();
}

}  // namespace

std::string random_password()
{
    return random_base62(24);   // 142 bits
}

Result<std::string> create_admin(sql::Database& database, const config::Settings& settings, const std::string& email,
                                 const SecretString& password)
{
    if (auto fine = auth::check_new_password(password.reveal(), email); !fine)
        return fine.error();
    auth::PasswordCost cost;
    cost.memory_kib = static_cast<std::uint32_t>(settings.auth.password_hash_memory / 1024);
    auto hash = auth::hash_password(password, cost);
    if (!hash)
        return hash.error();
    model::User user;
    user.id = new_id();
    user.email = email;
    user.role = "admin";
    user.password_hash = std::move(*hash);
    user.is_verified = true;
    user.created_at = user.updated_at = SystemClock().now();
    auto stored = database.run_now([&](sql::Connection& connection) -> Result<void> {
        if (auto inserted = store::Users(connection).insert(user); !inserted)
            return inserted;
        events::Batch batch(user.created_at);
        batch.add(events::event_by({}, "User", user.id, "UserRegistered",
                                   {{"email", user.email}, {"role", user.role}, {"is_active", true}, {"is_verified", true}},
                                   user.id));
        if (auto written = batch.store(connection); !written)
            return written.error();
        return {};
    });
    if (!stored)
        return stored.error();
    return user.id;
}

Result<std::optional<FirstAdmin>> prepare_first_start(sql::Database& database, const config::Settings& settings,
                                                      Logger& logger)
{
    if (!settings.auth.accounts)
        return std::optional<FirstAdmin>();
    const auto state = state_of(database);
    if (!state)
        return state.error();
    if (!state->any_admin && !settings.auth.admin_email.empty() && !settings.auth.admin_password.empty()) {
        auto made = create_admin(database, settings, settings.auth.admin_email, settings.auth.admin_password);
        if (!made && made.error().code() == Errc::conflict)
            return already_there(database);
        if (!made)
            return made.error();
        return std::optional<FirstAdmin>();
    }
    if (state->any_user || !settings.sqlite() || !is_loopback(settings.server.host)) {
        if (!state->any_admin)
            logger.warn("there is no administrator; `dure admin create --email …` makes one");
        return std::optional<FirstAdmin>();
    }
    FirstAdmin admin;
    admin.email = "admin@localhost";
    admin.password = SecretString(random_password());
    auto made = create_admin(database, settings, admin.email, admin.password);
    if (!made)
        return made.error();
    auto key = create_first_key(database, *made);
    if (!key)
        return key.error();
    admin.key = std::move(*key);
    return std::optional<FirstAdmin>(std::move(admin));
}

void announce(const FirstAdmin& admin, const std::string& url)
{
    std::cout << "First start. This is shown once:\n"
              << "admin e-mail:   " << admin.email << "\n"
              << "admin password: " << admin.password.reveal() << "\n"
              << "API key: " << admin.key.reveal() << "\n\n"
              << "Try it:\n"
              << "curl -N " << url << "/v1/chat/completions -H 'Authorization: Bearer " << admin.key.reveal()
              << "' -H 'Content-Type: application/json' -d '{\"model\":\"coe-agent-v1\",\"stream\":true,"
              << "\"messages\":[{\"role\":\"user\",\"content\":\"What is 12 * (3 + 4)?\"}]}'\n"
              << std::flush;
}

}  // namespace dure::app
