// The Redis protocol without sockets: commands to bytes, bytes to replies. hiredis formats and parses; the replies are
// our own, and a lying server cannot make us hold more than `most_bytes` for one of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/redis/client.hpp"

struct redisReader;

namespace dure::redis {

void append_command(std::string& out, const Arguments& arguments);

class ReplyReader {
public:
    explicit ReplyReader(std::size_t most_bytes = 64u << 20);

    // False, for good: what came is not the protocol, or a reply is too large.
    bool feed(std::string_view bytes);
    // The next whole reply; check broken() when there is none.
    std::optional<Reply> next();
    bool broken() const { return broken_; }

private:
    struct Free {
        void operator()(redisReader* reader) const;
    };
    std::unique_ptr<redisReader, Free> reader_;
    std::size_t most_bytes_;
    std::size_t since_reply_ = 0;   // bytes fed since a reply was whole
    std::size_t last_feed_ = 0;
    bool broken_ = false;
};

}  // namespace dure::redis
