// Form; see form.hpp.
#include "api/form.hpp"

#include <algorithm>

#include "dure/base/text.hpp"

namespace dure::api {

namespace forms {

Error malformed()
{
    return Error(Errc::invalid_argument, "The body is not a valid form.").reason("invalid_form");
}

std::optional<std::string> decoded(std::string_view text)
{
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    auto plain = percent_decode(spaced);
    if (!plain || !valid_utf8(*plain))
        return std::nullopt;
    return plain;
}

}  // namespace forms

Result<Form> Form::parse(std::string_view body)
{
    Form form;
    while (!body.empty()) {
        const auto pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(body.size(), pair.size() + 1));
        if (pair.empty())
            continue;
        const auto equals = pair.find('=');
        const auto name = forms::decoded(pair.substr(0, equals));
        const auto value =
            forms::decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
        if (!name || !value || form.fields_.size() >= most_fields || form.find(*name))
            return forms::malformed();
        form.fields_.emplace_back(*name, *value);
    }
    return form;
}

const std::string* Form::find(std::string_view name) const
{
    for (const auto& [key, value] : fields_)
        if (key == name)
            return &value;
    return nullptr;
}

Task<Result<Form>> read_form(RequestContext& context)
{
    const auto declared = context.header("content-type");
    const auto type = trim(std::string_view(declared).substr(0, declared.find(';')));
    if (!equals_ignoring_case(type, "application/x-www-form-urlencoded"))
        co_return Error(Errc::unsupported_media_type, "The body must be application/x-www-form-urlencoded.")
            .reason("unsupported_media_type");
    const auto encoding = context.header("content-encoding");
    if (!encoding.empty() && !equals_ignoring_case(encoding, "identity"))
        co_return Error(Errc::unsupported_media_type, "Compressed request bodies are not accepted.")
            .reason("unsupported_content_encoding");
    const auto body = co_await context.exchange().read_body(Form::longest);
    if (!body)
        co_return body.error();
    co_return Form::parse(*body);
}

}  // namespace dure::api
