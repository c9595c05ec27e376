// The fast look at a chunk of a streamed answer: one strict pass over its text, no tree, no allocation. It knows the shape
// of ordinary chunks (one choice, a delta of text or tool calls) and refuses everything else, valid or not; the slow path decides then.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "dure/model/chat.hpp"

namespace dure::llm::openai {

struct ScannedChunk {
    std::string_view text;  // what was scanned; all views below are parts of it
    std::string_view id;  // raw values, strings with their quotes; empty: absent
    std::string_view created;
    std::string_view model;
    std::string_view usage;  // the member `"usage":null` with one of its commas
    std::string_view content;  // raw text without quotes
    std::string_view reasoning;  // of reasoning_content
    std::string_view tool_calls;  // raw, an array
    std::string_view finish;  // stop, length, tool_calls, content_filter; empty: null
    bool has_content = false;
    bool has_reasoning = false;
    bool has_role = false;
    bool has_details = false;  // reasoning_details, not looked at
    bool has_more = false;  // beside text and tool calls: images, annotations, citations
    std::size_t index = 0;  // of the choice
};

// False: not an ordinary chunk.
bool scan_chunk(std::string_view text, ScannedChunk& chunk);

struct ScannedUsage {
    std::string_view text;  // raw, an object
    model::Usage numbers;
    std::array<std::pair<std::string_view, std::string_view>, 4> rest;  // members beside id, created, model and usage: key, raw value
    std::size_t rest_count = 0;
    bool has_more = false;  // some of them are parts of the answer: citations
};

// A chunk without choices that brings usage and nothing that acts. False: another one.
bool scan_usage_chunk(std::string_view text, ScannedUsage& usage);

}  // namespace dure::llm::openai
