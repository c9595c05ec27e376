// Answers in one piece, of both dialects: read or refused; what goes to the client is a whole completion whose text is the one
// that is kept, and as one chunk of a stream it is relayed. The input is the body of an answer.
#include <cstdint>
#include <cstdlib>

#include "llm/anthropic/answer.hpp"
#include "llm/openai/relay_translator.hpp"
#include "llm/openai/whole_answer.hpp"

using namespace dure;

namespace {

void read(std::string_view input)
{
    model::Completion answer;
    std::string body;
    if (llm::openai::read_whole(input, "gpt", answer, &body))
        return;
    const auto shown = Json::parse(body);   // throws: not JSON
    const auto& first = shown.at("choices").at(0);
    const auto& content = first.at("message").at("content");
    if (content.is_string() && content != answer.text)
        std::abort();
    if (!first.at("finish_reason").is_string() || shown.at("id").get<std::string>().empty() || shown.at("model") != "gpt")
        std::abort();
}

void relay(OrderedJson whole)
{
    if (llm::openai::wrong_whole(whole))
        return;
    model::Completion answer;
    llm::openai::RelayTranslator::Options options;
    options.model = "gpt";
    llm::openai::RelayTranslator translator(options, answer);
    std::string out;
    translator.document(llm::openai::chunk_of_whole(std::move(whole)), out);
    if (!translator.reader().failure() && translator.reader().complete())
        translator.finish(10, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    read(input);
    auto document = llm::openai::parse_whole(input);
    if (document.is_object()) {
        auto translated = llm::anthropic::completion_of(document, size % 2 == 0 ? "answer" : "");
        read(dump(translated));
        relay(std::move(translated));
    }
    relay(std::move(document));
    return 0;
}
