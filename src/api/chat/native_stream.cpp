// NativeStream; see native_stream.hpp.
#include "api/chat/native_stream.hpp"

#include "api/chat/openai_chunks.hpp"
#include "api/errors.hpp"
#include "dure/http/sse.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::api {

OrderedJson tools_used_json(const std::vector<model::ToolUse>& tools)
{
    auto list = OrderedJson::array();
    for (const auto& tool : tools) {
        auto arguments =
            schema::check_json(tool.arguments) ? OrderedJson::parse(tool.arguments) : OrderedJson(tool.arguments);
        list.push_back({{"name", tool.name},
                        {"arguments", std::move(arguments)},
                        {"success", tool.success},
                        {"result", tool.result},
                        {"duration_ms", tool.duration_ms}});
    }
    return list;
}

// The head goes out with the first event, so that an error known early still gets a real status.
void NativeStream::start_into_buffer()
{
    buffer_.clear();
    if (started_)
        return;
    http::append_sse_event(
        buffer_, "metadata",
        dump(OrderedJson{
            {"agent", answer_.model},
            {"model", answer_.completion.answered_by.empty() ? answer_.model : answer_.completion.answered_by},
            {"session_id", answer_.session_id},
            {"turn", answer_.turn}}));
}

Task<Result<void>> NativeStream::write_buffer()
{
    if (!std::exchange(started_, true))
        if (auto ready = co_await context_.start_event_stream(); !ready)
            co_return ready;
    if (buffer_.empty())
        co_return Result<void>();
    co_return co_await context_.exchange().write(buffer_);
}

Task<Result<void>> NativeStream::piece(const model::Piece& piece)
{
    start_into_buffer();
    const auto& text = piece.text.empty() ? piece.refusal : piece.text;
    if (!text.empty())
        http::append_sse_event(buffer_, "message", dump(OrderedJson{{"content", text}}));
    co_return co_await write_buffer();
}

Task<Result<void>> NativeStream::rendered(std::string_view)
{
    throw InvariantBroken("a native stream has no use for OpenAI chunks");
}

Task<Result<void>> NativeStream::progress(const model::Progress& progress)
{
    if (progress.tool.empty())   // the contract of this stream knows tool steps only
        co_return Result<void>();
    start_into_buffer();
    http::append_sse_event(buffer_, "tool",
                           dump(OrderedJson{{"name", progress.tool},
                                            {"description", progress.description},
                                            {"status", progress.done ? "completed" : "started"}}));
    co_return co_await write_buffer();
}

Task<Result<void>> NativeStream::still_alive()
{
    start_into_buffer();
    buffer_ += http::sse_keep_alive;
    co_return co_await write_buffer();
}

Task<Result<void>> NativeStream::finish()
{
    start_into_buffer();
    http::append_sse_event(buffer_, "done",
                           dump(OrderedJson{{"status", "completed"},
                                            {"session_id", answer_.session_id},
                                            {"turn", answer_.turn},
                                            {"finish_reason", answer_.completion.finish_reason},
                                            {"tools_used", tools_used_json(answer_.tools_used)},
                                            {"usage", usage_json(answer_.completion.usage)}}));
    if (!std::exchange(started_, true))
        if (auto ready = co_await context_.start_event_stream(); !ready)
            co_return ready;
    co_return co_await context_.exchange().finish_stream(buffer_);
}

Task<Result<void>> NativeStream::fail(const Error& error)
{
    const auto body = OrderedJson::parse(openai_error_json(error))["error"];
    buffer_.clear();
    http::append_sse_event(buffer_, "error", dump(OrderedJson{{"code", body["code"]}, {"message", body["message"]}}));
    co_return co_await context_.exchange().finish_stream(buffer_);
}

}  // namespace dure::api
