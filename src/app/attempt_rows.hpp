// AttemptRows: the gateway's attempts become rows, written behind.
#pragma once

#include "dure/llm/attempt_log.hpp"
#include "dure/model/attempt.hpp"
#include "dure/store/attempt_writer.hpp"

namespace dure::app {

class AttemptRows final : public llm::AttemptLog {
public:
    AttemptRows(sql::Database& database, Logger& logger) : writer_(database, logger) {}

    bool try_add(model::AttemptRow& row) override { return writer_.try_add(row); }
    Task<void> add(model::AttemptRow row) override { (void)co_await writer_.add(std::move(row)); }
    void add_now(model::AttemptRow row) override { writer_.add_now(std::move(row)); }
    store::AttemptWriter& writer() { return writer_; }

private:
    store::AttemptWriter writer_;
};

}  // namespace dure::app
