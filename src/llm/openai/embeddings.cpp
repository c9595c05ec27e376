// Splits, builds and reads embedding calls; see embeddings.hpp.
#include "llm/openai/embeddings.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "dure/base/text.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/openai/usage.hpp"

namespace dure::llm::openai {

namespace {

bool single_token_list(const OrderedJson& tokens)
{
    return tokens.is_array() && !tokens.empty() && !tokens.front().is_array();
}

std::size_t input_count(const model::EmbeddingRequest& request)
{
    if (request.token_input.is_null())
        return request.input.size();
    return single_token_list(request.token_input) ? 1 : request.token_input.size();
}

int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Little-endian float32 in base64; empty when it is broken.
std::vector<float> floats_of_base64(std::string_view text)
{
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    while (text.ends_with('='))
        text.remove_suffix(1);
    for (const char c : text) {
        const int value = base64_value(c);
        if (value < 0)
            return {};
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    static_assert(std::endian::native == std::endian::little);
    if (bytes.size() % sizeof(float) != 0)
        return {};
    std::vector<float> vector(bytes.size() / sizeof(float));
    if (!vector.empty())
        std::memcpy(vector.data(), bytes.data(), bytes.size());
    return vector;
}

std::vector<float> vector_of(const OrderedJson& embedding)
{
    if (embedding.is_string())
        return floats_of_base64(embedding.get_ref<const std::string&>());
    std::vector<float> vector;
    if (!embedding.is_array())
        return vector;
    vector.reserve(embedding.size());
    for (const auto& value : embedding) {
        if (!value.is_number())
            return {};
        vector.push_back(value.get<float>());
    }
    return vector;
}

}  // namespace

std::vector<EmbeddingBatch> embedding_batches(const model::EmbeddingRequest& request, std::size_t most)
{
    const auto count = input_count(request);
    std::vector<EmbeddingBatch> batches;
    for (std::size_t first = 0; first < count; first += most)
        batches.push_back(EmbeddingBatch{first, std::min(most, count - first)});
    return batches;
}

std::string embedding_body(const model::EmbeddingRequest& request, const EmbeddingBatch& batch, std::string_view model,
                           const Repairs& repairs)
{
    OrderedJson body;
    body["model"] = model;
    auto& input = body["input"];
    if (!request.token_input.is_null() && single_token_list(request.token_input)) {
        input = request.token_input;
    } else {
        input = OrderedJson::array();
        for (auto index = batch.first; index < batch.first + batch.count; ++index)
            input.push_back(request.token_input.is_null() ? OrderedJson(request.input[index])
                                                          : request.token_input[index]);
    }
    if (request.dimensions)
        body["dimensions"] = *request.dimensions;
    body["encoding_format"] = "float";
    auto text = dump(body);
    text.pop_back();
    for (const auto& [name, value] : request.extra) {   // as text: nobody here knows what its numbers must keep
        if (repairs.drops(name))
            continue;
        text += ',';
        append_json_string(text, name);
        text += ':';
        text += value;
    }
    return text + '}';
}

MaybeFailure read_embeddings(std::string_view body, std::size_t expected, model::EmbeddingAnswer& into)
{
    const auto document = parse_whole(body);
    if (!document.is_object())
        return Failure(FailureClass::protocol, "");
    if (const auto error = document.find("error"); error != document.end() && !error->is_null())
        return classify(read_problem(0, document));
    const auto data = document.find("data");
    if (data == document.end() || !data->is_array() || data->size() != expected)
        return Failure(FailureClass::protocol, "");
    std::vector<std::vector<float>> ordered(expected);
    for (std::size_t place = 0; place < expected; ++place) {
        const auto& entry = (*data)[place];
        if (!entry.is_object() || !entry.contains("embedding"))
            return Failure(FailureClass::protocol, "");
        const auto index = entry.value("index", OrderedJson());
        const auto at = index.is_number_unsigned() ? index.get<std::size_t>() : place;
        if (at >= expected || !ordered[at].empty())
            return Failure(FailureClass::protocol, "");
        ordered[at] = vector_of(entry["embedding"]);
        if (ordered[at].empty())
            return Failure(FailureClass::protocol, "");
    }
    std::move(ordered.begin(), ordered.end(), std::back_inserter(into.vectors));
    if (const auto usage = document.find("usage"); usage != document.end() && usage->is_object())
        into.usage += usage_of(*usage);
    return std::nullopt;
}

}  // namespace dure::llm::openai
