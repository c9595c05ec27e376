// FlowFiles: the copies of flows in `flows.directory`, one `<slug>.json` each. The row is the truth: a copy that cannot be
// written fails nothing. Files are opened below the directory only, written beside and renamed, so that a reader never sees
// half of one. One thread writes, so the newest version is the one that stays.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/flows/document.hpp"

namespace dure::flows {

class FlowFiles {
public:
    explicit FlowFiles(std::string directory) : directory_(std::move(directory)), thread_("flow files", 1, 256) {}

    struct Copy {
        std::string flow_id, slug;
        std::int64_t version = 0;
        std::shared_ptr<const Document> document;
        bool only_if_there = false;  // refreshes a copy, makes none
    };
    // unavailable or storage_full with the cause as its detail. An older version than the one written is left out.
    Task<Result<void>> write(Copy copy);
    Task<Result<void>> remove(std::string slug);

private:
    Result<void> write_now(const Copy& copy);

    const std::string directory_;
    std::unordered_map<std::string, std::int64_t> written_;  // newest version by flow; of the thread
    BlockingPool thread_;  // last: ends first
};

}  // namespace dure::flows
