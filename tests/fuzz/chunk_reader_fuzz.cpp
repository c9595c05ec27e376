// The stream readers of the OpenAI dialect: the relay (fast paths) and the exact reader agree on the answer, however the events
// look, and what goes to the client are whole events. The input is a stream of events.
#include <cstdint>
#include <cstdlib>

#include "dure/http/sse.hpp"
#include "llm/openai/relay_translator.hpp"

using namespace dure;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    model::Completion relayed;
    model::Completion read;
    llm::openai::RelayTranslator::Options options;
    options.model = "gpt";
    options.include_usage = true;
    llm::openai::RelayTranslator relay(options, relayed);
    llm::openai::ChunkReader reader(read, 1);
    http::SseReader events;
    http::SseEvent event;
    std::string out;
    events.feed(input);
    while (events.next(event)) {
        relay.event(event.event, event.data, out);
        reader.read(event.event, event.data);
    }
    if (!out.empty() && (!out.starts_with("data: ") || !out.ends_with("\n\n")))
        std::abort();
    const auto told = relayed;   // an end that nobody told is added by finish()
    if (relay.reader().complete())
        relay.finish(10, out);
    if (relay.reader().failure().has_value() != reader.failure().has_value())
        std::abort();
    if (!reader.failure() && (told.text != read.text || told.reasoning != read.reasoning ||
                              told.finish_reason != read.finish_reason))
        std::abort();
    return 0;
}
