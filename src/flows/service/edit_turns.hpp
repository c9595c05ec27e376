// EditTurns: edits of one flow without If-Match go one after another in this process, in the order they came: each reads what the
// one before it wrote, and none is refused because others were quicker. Other replicas are met by trying again.
#pragma once

#include <boost/asio/post.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "dure/base/channel.hpp"
#include "dure/base/error.hpp"

namespace dure::flows {

// Thread-safe; the turns it gave end before it does.
class EditTurns {
    struct Waiter {
        explicit Waiter(boost::asio::any_io_executor executor) : executor(executor), called(std::move(executor)) {}
        boost::asio::any_io_executor executor;
        Signal called;
    };

public:
    // A place in the line; leaves it when destroyed.
    class Turn {
    public:
        Turn(EditTurns& turns, std::string key, std::shared_ptr<Waiter> waiter)
            : turns_(&turns), key_(std::move(key)), waiter_(std::move(waiter))
        {}
        Turn(Turn&& other) noexcept
            : turns_(std::exchange(other.turns_, nullptr)), key_(std::move(other.key_)),
              waiter_(std::move(other.waiter_))
        {}
        Turn& operator=(Turn&&) = delete;
        ~Turn()
        {
            if (turns_ != nullptr)
                turns_->leave(key_, waiter_);
        }

    private:
        EditTurns* turns_;
        std::string key_;
        std::shared_ptr<Waiter> waiter_;
    };

    // conflict "flow_changing": the line is too long, or did not move for too long.
    Task<Result<Turn>> take(std::string key)
    {
        const auto waiter = std::make_shared<Waiter>(co_await boost::asio::this_coro::executor);
        if (!enter(key, waiter))
            co_return flow_changing();
        Turn turn(*this, key, waiter);
        const auto until = Steady::now() + patience;
        while (!is_first(key, waiter)) {
            if (Steady::now() >= until)
                co_return flow_changing();
            co_await waiter->called.wait(until);
        }
        co_return std::move(turn);
    }

    static Error flow_changing()
    {
        return Error(Errc::conflict, "The flow is being changed by others at the same time; try again.")
            .reason("flow_changing");
    }

private:
    static constexpr std::size_t longest_line = 256;
    static constexpr std::chrono::seconds patience{10};
    using Line = std::deque<std::shared_ptr<Waiter>>;

    bool enter(const std::string& key, const std::shared_ptr<Waiter>& waiter)
    {
        const std::lock_guard lock(mutex_);
        auto& line = lines_[key];
        if (line.size() >= longest_line)
            return false;
        line.push_back(waiter);
        return true;
    }

    bool is_first(const std::string& key, const std::shared_ptr<Waiter>& waiter)
    {
        const std::lock_guard lock(mutex_);
        return lines_.at(key).front() == waiter;
    }

    void leave(const std::string& key, const std::shared_ptr<Waiter>& waiter)
    {
        const std::lock_guard lock(mutex_);  // also over the post: who is in the line has an executor that lives
        const auto found = lines_.find(key);
        auto& line = found->second;
        const bool was_first = line.front() == waiter;
        std::erase(line, waiter);
        if (line.empty())
            lines_.erase(found);
        else if (was_first)
            boost::asio::post(line.front()->executor, [next = line.front()] { next->called.notify(); });
    }

    std::mutex mutex_;
    std::map<std::string, Line> lines_;
};

}  // namespace dure::flows
