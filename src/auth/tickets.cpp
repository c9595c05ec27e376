// See tickets.hpp. A ticket is 32 base62 characters; kept is: SHA-256 of it → the credential, sealed by AES-256-GCM under a key
// made from the ticket, which is used for this one text only.
#include "dure/auth/tickets.hpp"

#include <openssl/evp.h>

#include <mutex>
#include <unordered_map>

#include "dure/base/text.hpp"
#include "dure/redis/client.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/socket_tickets.hpp"

namespace dure::auth {

namespace tickets {

constexpr std::size_t ticket_characters = 32;
constexpr std::size_t longest_credential = 8 * 1024;
constexpr std::size_t tag_bytes = 16;

Error bad_ticket()
{
    return Error(Errc::unauthenticated, "The ticket is unknown, used or too old.").reason("invalid_ticket");
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// One key, one text: the nonce may be constant.
std::string key_of(const std::string& ticket)
{
    return sha256("dure ticket seal\n" + ticket);
}
constexpr unsigned char no_nonce[12] = {};

const unsigned char* bytes_of(const std::string& text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text)
{
    return reinterpret_cast<unsigned char*>(text.data());
}

std::string seal(const std::string& ticket, const std::string& credential)
{
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    const auto key = key_of(ticket);
    std::string sealed(credential.size() + tag_bytes, '\0');
    int written = 0;
    const bool done =
        cipher && EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key), no_nonce) == 1 &&
        EVP_EncryptUpdate(cipher.get(), bytes_of(sealed), &written, bytes_of(credential),
                          static_cast<int>(credential.size())) == 1 &&
        EVP_EncryptFinal_ex(cipher.get(), bytes_of(sealed) + written, &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, bytes_of(sealed) + credential.size()) == 1;
    if (!done)
        throw InvariantBroken("a ticket could not be sealed");
    return sealed;
}

Result<std::string> unseal(const std::string& ticket, std::string sealed)
{
    if (sealed.size() < tag_bytes)
        return bad_ticket();
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    const auto key = key_of(ticket);
    std::string credential(sealed.size() - tag_bytes, '\0');
    int written = 0;
    const bool good =
        cipher && EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key), no_nonce) == 1 &&
        EVP_DecryptUpdate(cipher.get(), bytes_of(credential), &written, bytes_of(sealed),
                          static_cast<int>(credential.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, bytes_of(sealed) + credential.size()) == 1 &&
        EVP_DecryptFinal_ex(cipher.get(), bytes_of(credential) + written, &written) == 1;
    if (!good)
        return bad_ticket();
    return credential;
}

Error too_many_tickets()
{
    return Error(Errc::unavailable, "Too many tickets are open, try again shortly.")
        .retry_after(std::chrono::seconds(1));
}

class InProcess final : public Tickets {
public:
    explicit InProcess(std::size_t most) : most_(most) {}

    Task<Result<std::string>> issue(std::string credential) override
    {
        if (credential.size() > longest_credential)
            co_return Error(Errc::invalid_argument, "The credential is too long.");
        auto ticket = random_base62(ticket_characters);
        const std::lock_guard lock(guard_);
        if (kept_.size() >= most_)
            forget_old();
        if (kept_.size() >= most_)
            co_return too_many_tickets();
        kept_[sha256(ticket)] = {seal(ticket, credential), Steady::now() + lifetime};
        co_return ticket;
    }

    Task<Result<std::string>> redeem(std::string ticket) override
    {
        std::unordered_map<std::string, Kept>::node_type taken;
        {
            const std::lock_guard lock(guard_);
            taken = kept_.extract(sha256(ticket));
        }
        if (taken.empty() || taken.mapped().until < Steady::now())
            co_return bad_ticket();
        co_return unseal(ticket, std::move(taken.mapped().sealed));
    }

private:
    struct Kept {
        std::string sealed;
        Steady::time_point until;
    };
    void forget_old()
    {
        std::erase_if(kept_, [now = Steady::now()](const auto& one) { return one.second.until < now; });
    }

    const std::size_t most_;
    std::mutex guard_;
    std::unordered_map<std::string, Kept> kept_;
};

// Of what base64() wrote; anything else gives a text that does not unseal.
std::string from_base64(const std::string& text)
{
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    const auto size = EVP_DecodeBlock(bytes_of(bytes), bytes_of(text), static_cast<int>(text.size()));
    if (size < 0)
        return {};
    const auto padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
    bytes.resize(static_cast<std::size_t>(size) - std::min<std::size_t>(padding, static_cast<std::size_t>(size)));
    return bytes;
}

class Stored final : public Tickets {
public:
    Stored(sql::Database& database, std::size_t most) : database_(database), most_(static_cast<std::int64_t>(most)) {}

    Task<Result<std::string>> issue(std::string credential) override
    {
        if (credential.size() > longest_credential)
            co_return Error(Errc::invalid_argument, "The credential is too long.");
        auto ticket = random_base62(ticket_characters);
        const auto sealed = base64(seal(ticket, credential));
        const auto kept = co_await database_.write([&](sql::Connection& c) {
            return store::SocketTickets(c).keep(hex(sha256(ticket)), sealed, lifetime, most_);
        });
        if (!kept)
            co_return kept.error();
        if (!*kept)
            co_return too_many_tickets();
        co_return ticket;
    }

    Task<Result<std::string>> redeem(std::string ticket) override
    {
        const auto taken = co_await database_.write(
            [&](sql::Connection& c) { return store::SocketTickets(c).take(hex(sha256(ticket))); });
        if (!taken)
            co_return taken.error();
        if (!*taken)
            co_return bad_ticket();
        co_return unseal(ticket, from_base64(**taken));
    }

private:
    sql::Database& database_;
    const std::int64_t most_;
};

class InRedis final : public Tickets {
public:
    InRedis(redis::Client& redis, std::unique_ptr<Tickets> meanwhile) : redis_(redis), meanwhile_(std::move(meanwhile))
    {}

    Task<Result<std::string>> issue(std::string credential) override
    {
        if (credential.size() > longest_credential)
            co_return Error(Errc::invalid_argument, "The credential is too long.");
        auto ticket = random_base62(ticket_characters);
        const auto stored = co_await redis_.command(
            {"SET", name_of_ticket(ticket), base64(seal(ticket, credential)), "EX", std::to_string(lifetime.count())});
        if (stored)
            co_return ticket;
        co_return co_await meanwhile_->issue(std::move(credential));
    }

    Task<Result<std::string>> redeem(std::string ticket) override
    {
        auto kept = co_await redis_.command({"GETDEL", name_of_ticket(ticket)});
        if (kept && kept->kind == redis::Reply::Kind::text)
            co_return unseal(ticket, from_base64(kept->text));
        co_return co_await meanwhile_->redeem(std::move(ticket));
    }

private:
    static std::string name_of_ticket(const std::string& ticket) { return "dure:ticket:" + hex(sha256(ticket)); }

    redis::Client& redis_;
    const std::unique_ptr<Tickets> meanwhile_;
};

}  // namespace tickets

std::unique_ptr<Tickets> in_process_tickets(std::size_t most)
{
    return std::make_unique<tickets::InProcess>(most);
}

std::unique_ptr<Tickets> stored_tickets(sql::Database& database, std::size_t most)
{
    return std::make_unique<tickets::Stored>(database, most);
}

std::unique_ptr<Tickets> redis_tickets(redis::Client& redis, std::unique_ptr<Tickets> meanwhile)
{
    return std::make_unique<tickets::InRedis>(redis, std::move(meanwhile));
}

}  // namespace dure::auth
