// Summarises sessions that have come to their turn limit (product S3), behind the answer. A session's next turn, and whoever
// reads its history, waits some seconds for a summary under way; one that was missed (crash, model down) is begun with the next turn.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <mutex>
#include <string>
#include <unordered_map>

#include "chat/background.hpp"
#include "dure/config/settings.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/usage_writer.hpp"

namespace dure::chat {

class Summaries {
public:
    Summaries(llm::Gateway& gateway, sessions::SessionService& sessions, store::UsageWriter& usage,
              const config::Agent& settings, Logger& logger);

    // Makes the summary on the calling core without being waited for.
    void start(boost::asio::any_io_executor executor, std::string owner_id, std::string session_id);
    // False for a session of somebody else.
    bool under_way(std::string_view owner_id, const std::string& session_id) const;
    // Until no summary of the owner's session is under way, or the deadline has passed.
    Task<void> settle(std::string owner_id, std::string session_id, Deadline deadline);

    std::size_t running() const { return background_.running(); }

private:
    Task<void> make(std::string owner_id, std::string session_id);

    llm::Gateway& gateway_;
    sessions::SessionService& sessions_;
    store::UsageWriter& usage_;
    const config::Agent& settings_;
    Logger& logger_;
    Background background_;
    mutable std::mutex guard_;
    std::unordered_map<std::string, std::string> under_way_;  // sessions, each with its owner
};

}  // namespace dure::chat
