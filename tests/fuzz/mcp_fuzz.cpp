// Any bytes from an MCP server: lines, messages, tools and results, never a crash.
#include <cstdlib>

#include "tools/mcp/line_reader.hpp"
#include "tools/mcp/protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace dure::tools::mcp;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    LineReader lines(1024);
    lines.feed(text.substr(0, size / 2));
    for (int half = 0; half < 2; ++half) {
        std::string_view line;
        for (auto found = lines.next(line); found != LineReader::Found::nothing; found = lines.next(line)) {
            if (found == LineReader::Found::too_long) {
                if (lines.skipped().is_call() && lines.skipped().response_id())
                    std::abort();
                continue;
            }
            const auto messages = read_messages(line);
            if (!messages)
                continue;
            for (const auto& message : *messages) {
                if (kind_of(message) == MessageKind::request && answer_text(message).empty())
                    std::abort();
                if (kind_of(message) != MessageKind::response)
                    continue;
                const auto result = result_of(message);
                std::vector<std::string> problems;
                if (result && read_tools(*result, problems).size() + problems.size() + next_cursor(*result).size() > 0)
                    static_cast<void>(read_call(*result));
            }
        }
        if (half == 0)
            lines.feed(text.substr(size / 2));
    }
    return 0;
}
