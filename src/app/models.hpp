// Models while the server runs: reads providers and models anew (SIGHUP, POST /api/models/reload), and tries them one by one
// (`dure models check`).
#pragma once

#include <functional>
#include <mutex>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/log.hpp"
#include "dure/config/load.hpp"
#include "dure/events/access_audit.hpp"
#include "dure/llm/gateway.hpp"

namespace dure::app {

// Thread-safe.
class Models {
public:
    Models(llm::Gateway& gateway, std::function<config::Loaded()> load_again, Logger& logger);

    // The number of models now there. invalid_argument with every problem of the configuration; the models stay then. Reads
    // files: for a thread of its own.
    Result<std::size_t> reload();
    Task<Result<std::size_t>> reload_from_a_core();
    // reload() with its event, as a request leaves one; waits for both. For the thread that takes the signals.
    void reload_by_signal(events::AccessAudit& audit, boost::asio::io_context& core);

private:
    llm::Gateway& gateway_;
    std::function<config::Loaded()> load_again_;
    Logger& logger_;
    std::mutex guard_;
    BlockingPool pool_{"models", 1, 16};
};

// Asks every target of every model for a short answer and prints what became of it. 0: all work.
int models_check(const config::Settings& settings);

}  // namespace dure::app
