// Commands and replies; see protocol.hpp.
#include "redis/protocol.hpp"

#include <hiredis/hiredis.h>
#include <openssl/sha.h>

#include <new>

#include "dure/base/text.hpp"

namespace dure::redis {

namespace reply_parts {

// hiredis asks for one object per piece. A child is made inside of its parent: while a list is read, its last item
// is the only one that hiredis still points to, so the vector may grow.
Reply* place_of(const redisReadTask* task)
{
    if (task->parent == nullptr)
        return new Reply();
    auto* const parent = static_cast<Reply*>(task->parent->obj);
    return &parent->items.emplace_back();
}

template <class Fill>
void* make(const redisReadTask* task, Fill fill) noexcept
{
    try {
        Reply* const reply = place_of(task);
        fill(*reply);
        return reply;
    } catch (const std::bad_alloc&) {
        return nullptr;  // hiredis gives up with an error of its own
    }
}

void* make_text(const redisReadTask* task, char* bytes, std::size_t size)
{
    return make(task, [&](Reply& reply) {
        reply.kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::error : Reply::Kind::text;
        reply.text.assign(bytes, size);
    });
}

void* make_list(const redisReadTask* task, int)
{
    return make(task, [](Reply& reply) { reply.kind = Reply::Kind::list; });  // the count is the server's claim
}

void* make_integer(const redisReadTask* task, long long number)
{
    return make(task, [number](Reply& reply) {
        reply.kind = Reply::Kind::integer;
        reply.integer = number;
    });
}

void* make_nil(const redisReadTask* task)
{
    return make(task, [](Reply&) {});
}

// Only ever called with the outermost object.
void free_reply(void* reply)
{
    delete static_cast<Reply*>(reply);
}

redisReplyObjectFunctions functions = {make_text, make_list, make_integer, make_nil, free_reply};

}  // namespace reply_parts

void append_command(std::string& out, const Arguments& arguments)
{
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& argument : arguments) {
        texts.push_back(argument.data());
        sizes.push_back(argument.size());
    }
    char* formatted = nullptr;
    const auto length = redisFormatCommandArgv(&formatted, static_cast<int>(texts.size()), texts.data(), sizes.data());
    if (length < 0)
        throw std::bad_alloc();
    const std::unique_ptr<char, void (*)(char*)> owned(formatted, redisFreeCommand);
    out.append(formatted, static_cast<std::size_t>(length));
}

void ReplyReader::Free::operator()(redisReader* reader) const
{
    redisReaderFree(reader);
}

ReplyReader::ReplyReader(std::size_t most_bytes)
    : reader_(redisReaderCreateWithFunctions(&reply_parts::functions)), most_bytes_(most_bytes)
{
    if (!reader_)
        throw std::bad_alloc();
}

bool ReplyReader::feed(std::string_view bytes)
{
    since_reply_ += bytes.size();
    last_feed_ = bytes.size();
    if (since_reply_ > most_bytes_ || redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK)
        broken_ = true;
    return !broken_;
}

std::optional<Reply> ReplyReader::next()
{
    void* made = nullptr;
    if (broken_)
        return std::nullopt;
    if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
        broken_ = true;
        return std::nullopt;
    }
    if (made == nullptr)
        return std::nullopt;
    const std::unique_ptr<Reply> owned(static_cast<Reply*>(made));
    since_reply_ = last_feed_;  // at most that much of the next reply is here already
    return std::move(*owned);
}

Script::Script(std::string lua) : text(std::move(lua))
{
    std::string digest(SHA_DIGEST_LENGTH, '\0');
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
    sha1 = hex(digest);
}

}  // namespace dure::redis
