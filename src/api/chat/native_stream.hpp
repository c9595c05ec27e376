// The streamed answer of /api/chat/message/stream (product N3): events metadata, message, tool, then exactly one done or
// error. Other than on /v1 there is no [DONE].
#pragma once

#include <string>

#include "api/context.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

class NativeStream final : public model::AnswerSink {
public:
    NativeStream(RequestContext& context, const chat::Answer& answer) : context_(context), answer_(answer) {}

    Task<Result<void>> piece(const model::Piece& piece) override;
    Task<Result<void>> rendered(std::string_view events) override;
    Task<Result<void>> progress(const model::Progress& progress) override;
    Task<Result<void>> still_alive() override;

    bool started() const { return started_; }
    Task<Result<void>> finish();
    Task<Result<void>> fail(const Error& error);

private:
    void start_into_buffer();
    Task<Result<void>> write_buffer();

    RequestContext& context_;
    const chat::Answer& answer_;
    std::string buffer_;
    bool started_ = false;
};

OrderedJson tools_used_json(const std::vector<model::ToolUse>& tools);

}  // namespace dure::api
