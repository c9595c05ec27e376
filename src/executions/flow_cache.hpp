// FlowCache: compiled flows by what they are made of (flow, version, pinned sub-flows), bounded, the ones used last kept.
// Thread-safe; two runs that miss at once both compile.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "dure/flows/compiler.hpp"

namespace dure::executions {

class FlowCache {
public:
    explicit FlowCache(std::size_t most) : most_(most) {}

    std::shared_ptr<const flows::CompiledFlow> find(const std::string& key);
    void put(const std::string& key, std::shared_ptr<const flows::CompiledFlow> flow);

private:
    struct Entry {
        std::string key;
        std::shared_ptr<const flows::CompiledFlow> flow;
    };
    std::mutex guard_;
    const std::size_t most_;
    std::list<Entry> entries_;  // newest use first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace dure::executions
