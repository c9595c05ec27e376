// What a client sees of an upstream stream that is relayed, without sockets.
//   const auto seen = relayed(event_of(R"({"content":"x"})") + "data: [DONE]\n\n");
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/http/sse.hpp"
#include "llm/openai/relay_translator.hpp"

namespace dure::llm::test {

struct Relayed {
    std::string bytes;
    model::Completion completion;
    MaybeFailure failure;
    bool complete = false;

    std::vector<Json> chunks() const
    {
        std::vector<Json> all;
        http::SseReader reader;
        reader.feed(bytes);
        http::SseEvent event;
        while (reader.next(event))
            if (event.data != "[DONE]")
                all.push_back(Json::parse(event.data));
        return all;
    }
    std::string text(const char* key = "content") const
    {
        std::string joined;
        for (const auto& chunk : chunks())
            for (const auto& choice : chunk["choices"])
                if (choice["delta"].contains(key) && choice["delta"][key].is_string())
                    joined += choice["delta"][key].get<std::string>();
        return joined;
    }
    std::vector<std::string> finishes() const
    {
        std::vector<std::string> all;
        for (const auto& chunk : chunks())
            for (const auto& choice : chunk["choices"])
                if (choice["finish_reason"].is_string())
                    all.push_back(choice["finish_reason"].get<std::string>());
        return all;
    }
    int usages() const
    {
        int count = 0;
        for (const auto& chunk : chunks())
            count += chunk.contains("usage") ? 1 : 0;
        return count;
    }
    std::size_t done_marks() const
    {
        std::size_t count = 0;
        for (auto at = bytes.find("data: [DONE]\n\n"); at != std::string::npos; at = bytes.find("data: [DONE]\n\n", at + 1))
            ++count;
        return count;
    }
};

inline void finish(openai::RelayTranslator& translator, Relayed& result)
{
    result.complete = translator.reader().complete();
    result.failure = translator.reader().failure();
    if (result.complete)
        translator.finish(10, result.bytes);
}

inline Relayed relayed(std::string_view stream, bool include_usage = false, std::size_t split = 0, std::size_t choices = 1)
{
    Relayed result;
    openai::RelayTranslator::Options options;
    options.model = "asked";
    options.include_usage = include_usage;
    options.choices = choices;
    openai::RelayTranslator translator(options, result.completion);
    http::SseReader reader;
    http::SseEvent event;
    const auto feed = [&](std::string_view bytes) {
        reader.feed(bytes);
        while (reader.next(event))
            translator.event(event.event, event.data, result.bytes);
    };
    if (split == std::string_view::npos) {
        for (const char c : stream)
            feed(std::string_view(&c, 1));
    } else {
        feed(stream.substr(0, split));
        feed(stream.substr(std::min(split, stream.size())));
    }
    if (reader.finish(event))
        translator.event(event.event, event.data, result.bytes);
    finish(translator, result);
    return result;
}

inline std::string event_of(const std::string& delta, const std::string& finish = "null", const std::string& more = "")
{
    return "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"up\",\"choices\":[{\"index\":0,"
           "\"delta\":" + delta + ",\"logprobs\":null,\"finish_reason\":" + finish + "}]" + more + "}\n\n";
}

inline const std::string role_line = event_of(R"({"role":"assistant","content":""})");
inline const std::string done_line = "data: [DONE]\n\n";

}  // namespace dure::llm::test
