// Template; see template.hpp.
#include "tools/http/template.hpp"

namespace dure::tools {
namespace template_parts {

bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

std::string encoded(std::string_view text, bool (*stays)(char))
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (stays(c))
            out += c;
        else
            out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return out;
}

}  // namespace template_parts

std::string percent_encode(std::string_view text)
{
    return template_parts::encoded(text, template_parts::unreserved);
}

std::string escape_the_rest(std::string_view text)
{
    return template_parts::encoded(text, [](char c) { return c > ' ' && c < 0x7f && c != '\\'; });
}

std::string argument_text(const Json& value)
{
    if (value.is_string())
        return value.get<std::string>();
    if (!value.is_array())
        return value.is_null() ? std::string() : dump(value);
    std::string out;
    for (const auto& one : value)
        out += (out.empty() ? "" : ",") + argument_text(one);
    return out;
}

Result<Template> Template::parse(std::string_view text)
{
    Template made;
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
            plain += text[at++];
        } else if (c == '{') {
            const auto end = text.find('}', at);
            if (end == std::string_view::npos || end == at + 1)
                return Error(Errc::invalid_argument, "a place {name} is not closed or has no name");
            if (!plain.empty())
                made.append_text(std::exchange(plain, {}));
            made.append_argument(std::string(text.substr(at + 1, end - at - 1)));
            at = end;
        } else if (c == '}') {
            return Error(Errc::invalid_argument, "a '}' stands alone; write }} for the character");
        } else {
            plain += c;
        }
    }
    if (!plain.empty())
        made.append_text(std::move(plain));
    return made;
}

Template Template::of_argument(std::string name)
{
    Template made;
    made.append_argument(std::move(name));
    return made;
}

void Template::append_text(std::string text)
{
    pieces_.push_back({std::move(text), false});
}

void Template::append_argument(std::string name)
{
    pieces_.push_back({std::move(name), true});
}

std::string Template::fill(const Json& arguments, const std::function<std::string(std::string_view)>& encode) const
{
    return fill_by(arguments, [&](const std::string&, const Json& value) { return encode(argument_text(value)); });
}

std::string
Template::fill_by(const Json& arguments,
                  const std::function<std::string(const std::string& name, const Json& value)>& text_of) const
{
    std::string out;
    for (const auto& piece : pieces_) {
        if (!piece.argument)
            out += piece.text;
        else if (const auto value = arguments.find(piece.text); value != arguments.end())
            out += text_of(piece.text, *value);
    }
    return out;
}

std::vector<std::string> Template::arguments() const
{
    std::vector<std::string> names;
    for (const auto& piece : pieces_)
        if (piece.argument)
            names.push_back(piece.text);
    return names;
}

std::optional<std::string> Template::only_argument() const
{
    if (pieces_.size() != 1 || !pieces_[0].argument)
        return std::nullopt;
    return pieces_[0].text;
}

}  // namespace dure::tools
