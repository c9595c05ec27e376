// The event translator of the Anthropic dialect, and its translator of whole messages: whatever comes, chunks of the OpenAI form
// or nothing; the reader behind takes them. The input is a stream of events.
#include <cstdint>
#include <cstdlib>

#include "dure/http/sse.hpp"
#include "llm/anthropic/answer.hpp"
#include "llm/openai/relay_translator.hpp"

using namespace dure;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    llm::anthropic::EventTranslator translator(size % 2 == 0 ? "answer" : "");
    model::Completion completion;
    llm::openai::RelayTranslator::Options options;
    options.model = "gpt";
    llm::openai::RelayTranslator relay(options, completion);
    http::SseReader events;
    http::SseEvent event;
    std::string out;
    std::vector<OrderedJson> chunks;
    const auto give = [&] {
        for (auto& chunk : chunks) {
            if (!chunk["choices"].is_array())
                std::abort();
            relay.document(std::move(chunk), out);
        }
        chunks.clear();
    };
    events.feed(input);
    while (events.next(event)) {
        const auto meaning = translator.read(event.event, event.data, chunks);
        if (translator.halves_seen())
            relay.reader().expect_halves();
        give();
        if (meaning == llm::openai::ForeignEvents::Meaning::raw)
            relay.event(event.event, event.data, out);
    }
    translator.body_ended(chunks);
    give();
    auto whole = OrderedJson::parse(input, nullptr, false);
    if (whole.is_object())
        (void)llm::anthropic::completion_of(std::move(whole), "answer");
    return 0;
}
