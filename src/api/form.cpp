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

// Of a header field like `form-data; name="a"; x=b`; none: it is not there, or the field is malformed.
std::optional<std::string_view> parameter(std::string_view field, std::string_view wanted)
{
    while (field.find(';') != field.npos) {
        field = trim(field.substr(field.find(';') + 1));
        const auto equals = field.find('=');
        if (equals == field.npos)
            return std::nullopt;
        const auto name = field.substr(0, equals);
        field.remove_prefix(equals + 1);
        const bool quoted = field.starts_with('"');
        const auto end = quoted ? field.find('"', 1) : std::min(field.find(';'), field.size());
        if (end == field.npos)
            return std::nullopt;
        if (equals_ignoring_case(name, wanted))
            return quoted ? field.substr(1, end - 1) : trim(field.substr(0, end));
        field.remove_prefix(end);
    }
    return std::nullopt;
}

// The value of the one field that says what a part is; none: it says something else than text of a form.
std::optional<std::string_view> name_of_part(std::string_view head)
{
    constexpr std::string_view field = "content-disposition:";
    std::optional<std::string_view> found;
    while (!head.empty()) {
        const auto line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        if (!equals_ignoring_case(line.substr(0, field.size()), field))
            continue;
        const auto value = trim(line.substr(field.size()));
        const auto kind = trim(value.substr(0, value.find(';')));
        if (found || !equals_ignoring_case(kind, "form-data") || parameter(value, "filename"))
            return std::nullopt;
        found = parameter(value, "name");
        if (!found)
            return std::nullopt;
    }
    return found;
}

}  // namespace forms

bool Form::add(std::string name, std::string value)
{
    if (fields_.size() >= most_fields || find(name))
        return false;
    fields_.emplace_back(std::move(name), std::move(value));
    return true;
}

// "Content-Disposition: …", an empty line, the value.
bool Form::add_part(std::string_view part)
{
    const auto head_end = part.find("\r\n\r\n");
    if (head_end == part.npos || !valid_utf8(part))
        return false;
    const auto name = forms::name_of_part(part.substr(0, head_end));
    return name && add(std::string(*name), std::string(part.substr(head_end + 4)));
}

Result<Form> Form::parse_parts(std::string_view body, std::string_view type)
{
    const auto boundary = forms::parameter(type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > 70)
        return forms::malformed();
    const auto line = "--" + std::string(*boundary);
    const auto next = "\r\n" + line;
    if (!body.starts_with(line))
        return forms::malformed();
    body.remove_prefix(line.size());
    Form form;
    while (body.starts_with("\r\n")) {
        const auto end = body.find(next, 2);
        if (end == body.npos || !form.add_part(body.substr(2, end - 2)))
            return forms::malformed();
        body.remove_prefix(end + next.size());
    }
    if (body != "--" && body != "--\r\n")
        return forms::malformed();
    return form;
}

Result<Form> Form::parse(std::string_view body)
{
    Form form;
    while (!body.empty()) {
        const auto pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(body.size(), pair.size() + 1));
        if (pair.empty())
            continue;
        const auto equals = pair.find('=');
        auto name = forms::decoded(pair.substr(0, equals));
        auto value =
            forms::decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
        if (!name || !value || !form.add(std::move(*name), std::move(*value)))
            return forms::malformed();
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
    const bool parts = equals_ignoring_case(type, "multipart/form-data");
    if (!parts && !equals_ignoring_case(type, "application/x-www-form-urlencoded"))
        co_return Error(Errc::unsupported_media_type,
                        "The body must be a form: application/x-www-form-urlencoded or multipart/form-data.")
            .reason("unsupported_media_type");
    const auto encoding = context.header("content-encoding");
    if (!encoding.empty() && !equals_ignoring_case(encoding, "identity"))
        co_return Error(Errc::unsupported_media_type, "Compressed request bodies are not accepted.")
            .reason("unsupported_content_encoding");
    const auto body = co_await context.exchange().read_body(Form::longest);
    if (!body)
        co_return body.error();
    co_return parts ? Form::parse_parts(*body, declared) : Form::parse(*body);
}

}  // namespace dure::api
