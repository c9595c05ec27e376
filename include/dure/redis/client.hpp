// The Redis client: one pipelined connection per core, a FIFO of waiting coroutines behind it, one more connection for
// subscriptions. Redis is never needed to go on: every failure is Errc::unavailable within the deadline of the command.
//
//   command() -> bytes to the connection of this core -> reply in the order sent -> Result<Reply>
//   connection lost: connected again at once, then with back-off; commands in between fail immediately
//   no answer in time: until it comes, commands behind it fail immediately, since replies come in their order
//   5 failures in a row (frozen or unreachable): the circuit is open, one probe a second, no command waits
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/redis/address.hpp"

namespace dure::redis {

struct Reply {
    enum class Kind { nil, integer, text, list, error };

    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text;  // of text and error
    std::vector<Reply> items;  // of list
};

using Arguments = std::vector<std::string>;

// A Lua script, sent by its hash and in full only to a server that does not know it.
struct Script {
    explicit Script(std::string lua);
    std::string text;
    std::string sha1;
};

struct ClientOptions {
    std::chrono::milliseconds command{50};  // longest wait of one command
    std::chrono::milliseconds connect{1000};  // TCP, TLS, log-in and one PING
    std::chrono::milliseconds probe{1000};  // longest pause between two attempts
    std::chrono::milliseconds silence{2000};  // of the subscriptions' connection, before it is asked for a sign of life
    int failures = 5;  // in a row, before the circuit opens
    std::size_t waiting = 4096;  // commands of one core that wait for their reply
    std::size_t unsent_bytes = 8u << 20;  // of one core
    std::string extra_ca_file = {};  // of TLS: authorities besides the system's, PEM
};

// What a subscription does with what comes; called on one core, must not block or throw.
struct Subscriber {
    std::function<void(std::string_view message)> on_message;
    // Subscribed, for the first time or again: what was published before this was missed.
    std::function<void()> on_subscribed = {};
};

// Cores and logger outlive it. Commands are awaited on a core.
class Client {
public:
    // Throws boost::system::system_error when extra_ca_file cannot be read.
    Client(Cores& cores, Address address, Logger& logger, ClientOptions options = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Errc::unavailable: no connection, no answer in time, too many wait, or (reason "redis_refused") an error reply.
    Task<Result<Reply>> command(Arguments arguments);
    Task<Result<Reply>> command(Arguments arguments, Deadline until);
    Task<Result<Reply>> eval(const Script& script, Arguments keys, Arguments arguments);

    // Published without waiting; lost when Redis is away. Any thread.
    void publish(std::string channel, std::string message);
    // For as long as the client lives; after a lost connection it subscribes again by itself. Any thread.
    void subscribe(std::string channel, Subscriber subscriber);

    // The circuit of no core is open, and nothing was refused lately as by a server that is full or may only be read. Any thread.
    bool available() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace dure::redis
