// POST /v1/embeddings
// body -> EmbeddingRequest -> ChatService::embed -> vectors as numbers, or as base64 of little-endian float32, which the
// OpenAI SDKs ask for by default and decode blindly (openai-clients §1).
#include "api/chat/embeddings.hpp"

#include <bit>
#include <charconv>

#include "api/caller.hpp"
#include "api/chat/openai_stream.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::api {

using schema::JsonKind;
using schema::JsonView;

namespace {

constexpr std::size_t most_inputs = 2048;   // as OpenAI

Error wrong_input(std::string_view param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).param(std::string(param)).reason("invalid_value");
}

std::optional<JsonView> given(const JsonView& body, std::string_view key)
{
    auto value = body.find(key);
    return value && value->is_null() ? std::nullopt : value;
}

bool is_token_list(const JsonView& list)
{
    bool tokens = list.is_array() && list.size() > 0;
    list.for_each_element([&](const JsonView& one) { tokens = tokens && one.as_int64().value_or(-1) >= 0; });
    return tokens;
}

// string | [string…] | [token…] | [[token…]…]; nothing may be empty.
Result<void> read_input(const JsonView& input, model::EmbeddingRequest& request)
{
    if (input.is_string()) {
        request.input.push_back(input.string());
    } else if (is_token_list(input)) {
        request.token_input = OrderedJson::array({OrderedJson::parse(input.raw())});
    } else if (input.is_array() && input.size() > 0 && is_token_list(*input.at(0))) {
        bool tokens = true;
        input.for_each_element([&](const JsonView& one) { tokens = tokens && is_token_list(one); });
        if (!tokens)
            return wrong_input("input", "input must hold token lists only.");
        request.token_input = OrderedJson::parse(input.raw());
    } else if (input.is_array()) {
        bool strings = true;
        input.for_each_element([&](const JsonView& one) {
            strings = strings && one.is_string();
            request.input.push_back(one.string());
        });
        if (!strings)
            return wrong_input("input", "input must be a string, an array of strings, or arrays of tokens.");
    } else {
        return wrong_input("input", "input must be a string, an array of strings, or arrays of tokens.");
    }
    const auto count = request.token_input.is_array() ? request.token_input.size() : request.input.size();
    if (count == 0 || count > most_inputs)
        return wrong_input("input", "input must have between 1 and " + std::to_string(most_inputs) + " entries.");
    for (const auto& text : request.input)
        if (text.empty())
            return wrong_input("input", "input must not hold an empty string.");
    return {};
}

// What we do not know may mean something to the provider.
void read_extra(const JsonView& body, model::EmbeddingRequest& request)
{
    body.for_each_member([&](std::string_view key, const JsonView& value) {
        const bool ours = key == "model" || key == "input" || key == "encoding_format" || key == "dimensions" ||
                          key.starts_with("dure_");
        if (!ours)
            request.extra.emplace_back(key, value.raw());
    });
}

}  // namespace

Result<EmbeddingInput> read_embedding(std::string_view text)
{
    const JsonView body(text);
    EmbeddingInput out;
    if (!body.is_object())
        return wrong_input("", "The body must be a JSON object.");
    const auto model = given(body, "model");
    if (!model || !model->is_string())
        return wrong_input("model", "model must be a string.");
    out.request.model = model->string();
    const auto input = given(body, "input");
    if (!input)
        return wrong_input("input", "input is required.");
    if (auto read = read_input(*input, out.request); !read)
        return read.error();
    if (const auto format = given(body, "encoding_format")) {
        out.base64 = format->string_is("base64");
        if (!out.base64 && !format->string_is("float"))
            return wrong_input("encoding_format", "encoding_format must be float or base64.");
    }
    if (const auto dimensions = given(body, "dimensions")) {
        const auto number = dimensions->as_int64();
        if (!number || *number < 1 || *number > 65536)
            return wrong_input("dimensions", "dimensions must be a whole number from 1 to 65536.");
        out.request.dimensions = *number;
    }
    read_extra(body, out.request);
    return out;
}

namespace {

void append_vector(std::string& out, const std::vector<float>& vector, bool as_base64)
{
    if (as_base64) {
        static_assert(std::endian::native == std::endian::little, "vectors go out in memory order");
        out += '"';
        out += base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
        out += '"';
        return;
    }
    out += '[';
    char number[32];
    for (std::size_t i = 0; i < vector.size(); ++i) {
        if (i > 0)
            out += ',';
        out.append(number, std::to_chars(number, number + sizeof number, vector[i]).ptr);
    }
    out += ']';
}

std::string embedding_json(const EmbeddingInput& input, const model::EmbeddingAnswer& answer)
{
    std::string out = R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < answer.vectors.size(); ++i) {
        out += i == 0 ? "" : ",";
        out += R"({"object":"embedding","index":)" + std::to_string(i) + ",\"embedding\":";
        append_vector(out, answer.vectors[i], input.base64);
        out += '}';
    }
    out += "],\"model\":";
    append_json_string(out, input.request.model);
    out += ",\"usage\":{\"prompt_tokens\":" + std::to_string(answer.usage.prompt_tokens) +
           ",\"total_tokens\":" + std::to_string(answer.usage.prompt_tokens) + "}}";
    return out;
}

}  // namespace

Handler create_embeddings(const ApiParts& parts)
{
    return [&chat = parts.chat, &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_body(static_cast<std::size_t>(limits.chat_body));
        if (!body)
            co_return body.error();
        const auto input = read_embedding(*body);
        if (!input)
            co_return input.error();
        context.exchange().on_client_gone(http::OnClientGone::cancel);
        const auto caller = caller_of(context);
        const chat::RequestInfo info{context.request_id(), "/v1/embeddings", Deadline::after(limits.chat_request),
                                     context.head().client_address};
        const auto answer = co_await chat.embed(input->request, caller, info);
        if (!answer)
            co_return answer.error();
        co_return co_await context.respond_json_text(200, embedding_json(*input, *answer), answer_headers(*answer));
    };
}

}  // namespace dure::api
