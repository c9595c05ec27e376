// The formats of JSON Schema that are checked, by linear-time patterns and the parsers of base and Asio.
#include <boost/asio/ip/address.hpp>

#include "dure/base/clock.hpp"
#include "schema/json_schema_node.hpp"

namespace dure::schema {

namespace formats {

bool matches(const char* pattern, const std::string& text)
{
    return re2::RE2::FullMatch(text, pattern);
}

bool date(const std::string& text)
{
    return text.size() == 10 && parse_rfc3339(text + "T00:00:00Z").has_value();
}

bool date_time(const std::string& text)
{
    return parse_rfc3339(text).has_value();
}

bool time_of_day(const std::string& text)
{
    return parse_rfc3339("2000-01-01T" + text).has_value();
}

bool email(const std::string& text)
{
    return text.size() <= 254 && matches("[^\\s@\"]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text);
}

bool uri(const std::string& text)
{
    return matches("[A-Za-z][A-Za-z0-9+.-]*:[^\\s<>\"{}|\\\\^`]+", text);
}

bool uuid(const std::string& text)
{
    return matches("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text);
}

bool ipv4(const std::string& text)
{
    boost::system::error_code failed;
    boost::asio::ip::make_address_v4(text, failed);
    return !failed;
}

bool ipv6(const std::string& text)
{
    boost::system::error_code failed;
    boost::asio::ip::make_address_v6(text, failed);
    return !failed && text.find('%') == std::string::npos;
}

using Check = bool (*)(const std::string&);

const std::map<std::string, Check, std::less<>>& table()
{
    static const std::map<std::string, Check, std::less<>> checks = {
        {"date", date}, {"date-time", date_time}, {"time", time_of_day}, {"email", email},
        {"uri", uri},   {"uuid", uuid},           {"ipv4", ipv4},        {"ipv6", ipv6}};
    return checks;
}

}  // namespace formats

bool known_format(std::string_view format)
{
    return formats::table().contains(format);
}

bool matches_format(std::string_view format, const std::string& text)
{
    const auto found = formats::table().find(format);
    return found == formats::table().end() || found->second(text);
}

}  // namespace dure::schema
