// The progress lines over an answer in Open WebUI (openai-clients §10). It keeps every status it is sent and merges none: the last
// one stands over the answer, in motion until one is done, the others are behind it when unfolded. So a step is one status, sent
// when it begins; and before the answer goes on or ends, one that is done tells what it rests on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/chat/openai_chunks.hpp"
#include "dure/model/chat.hpp"

namespace dure::api {

class StatusLines {
public:
    // Its nodes are thoughts, told in the turn's language; what it did are tools.
    static StatusLines of_agent() { return StatusLines(false, false); }
    // What it did are its nodes; their labels are its author's, so the turn's language is given.
    static StatusLines of_flow(bool korean) { return StatusLines(true, korean); }

    // The last status is not done. Asked once a token.
    bool open() const { return open_; }
    // What is to be sent of it.
    std::optional<Status> step(const model::Progress& progress);
    // The closing status; hidden where nothing but thinking happened.
    Status close();

private:
    StatusLines(bool of_flow, bool korean) : of_flow_(of_flow), korean_(korean) {}
    void remember(std::string_view name);
    std::string what_was_done() const;

    bool open_ = false;
    bool closed_before_ = false;
    bool of_flow_;
    bool korean_;
    std::string shown_;  // the newest step's line
    std::vector<std::string> names_;  // of all that was used or ran so far, each once
};

}  // namespace dure::api
