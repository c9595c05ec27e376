// See http_body.hpp.
#include "nodes/http_body.hpp"

#include "dure/base/clock.hpp"
#include "dure/flows/expression.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::nodes {
namespace {

constexpr std::size_t boundary_length = 32;

const Json* payload_of(ConfigReader& body, const char* own, const char* form)
{
    for (const char* member : {own, form, "data"})
        if (const auto* value = body.find(member))
            return value;
    return nullptr;
}

HttpBody json_body(ConfigReader& body)
{
    const auto* value = payload_of(body, "value", "json");
    if (value && value->is_string()) {
        const auto& text = value->get_ref<const std::string&>();
        const auto first = text.find_first_not_of(" \t\r\n");
        const bool holds_more = first != std::string::npos && (text[first] == '{' || text[first] == '[');
        if (holds_more && schema::check_json(text))
            return {text, "application/json"};
    }
    return {dump(value ? *value : Json()), "application/json"};
}

HttpBody text_body(ConfigReader& body)
{
    const auto* value = payload_of(body, "value", "text");
    const auto type = body.text("content_type");
    return {value ? flows::text_of(*value) : std::string(), type.empty() ? "text/plain; charset=utf-8" : type};
}

HttpBody form_body(const Json& fields)
{
    HttpBody body{"", "application/x-www-form-urlencoded"};
    for (const auto& [name, value] : fields.items())
        for (const auto& one : value.is_array() ? value : Json::array({value}))
            body.bytes +=
                (body.bytes.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(flows::text_of(one));
    return body;
}

// Quotes and line ends of names as browsers write them (HTML, multipart/form-data encoding).
std::string quoted_field_name(std::string_view name)
{
    std::string out;
    for (const char c : name)
        out += c == '"' ? "%22" : c == '\r' ? "%0D" : c == '\n' ? "%0A" : std::string(1, c);
    return out;
}

HttpBody multipart_body(const Json& fields)
{
    const auto boundary = "dure-" + random_base62(boundary_length);
    HttpBody body{"", "multipart/form-data; boundary=" + boundary};
    for (const auto& [name, value] : fields.items())
        for (const auto& one : value.is_array() ? value : Json::array({value}))
            body.bytes += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quoted_field_name(name) +
                          "\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + flows::text_of(one) + "\r\n";
    body.bytes += "--" + boundary + "--\r\n";
    return body;
}

}  // namespace

std::string percent_encoded(std::string_view text)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        const auto byte = static_cast<unsigned char>(c);
        if (plain)
            out += c;
        else
            out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return out;
}

HttpBody read_http_body(ConfigReader& reader)
{
    const auto* object = reader.object("body");
    if (!object)
        return {};
    ConfigReader body(*object);
    const auto type = body.find("type") ? body.text("type") : "none";
    if (type == "none")
        return {};
    if (type == "json")
        return json_body(body);
    if (type == "text")
        return text_body(body);
    if (type != "form" && type != "multipart") {
        reader.problem("body.type", "must be none, json, text, form or multipart");
        return {};
    }
    const auto* fields = payload_of(body, "fields", type == "form" ? "form" : "multipart");
    if (!fields)
        fields = body.find("value");
    if (!fields || !fields->is_object()) {
        reader.problem("body.fields", "must be an object");
        return {};
    }
    return type == "form" ? form_body(*fields) : multipart_body(*fields);
}

}  // namespace dure::nodes
