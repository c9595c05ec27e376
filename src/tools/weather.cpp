// The weather tool: place -> geocoding -> forecast, both in Open-Meteo's form. Nothing is invented: what the servers do
// not say is not in the result.
#include <array>

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"
#include "tools/web_tools.hpp"

namespace dure::tools {
namespace weather_parts {

constexpr std::size_t largest_forecast = 256 * 1024;

model::ToolDefinition weather_definition()
{
    model::ToolDefinition definition;
    definition.name = "weather";
    definition.description = "Current weather and forecast of a place: temperature, humidity, wind, precipitation. "
                             "날씨 조회: 도시의 현재 기온, 습도, 바람, 강수와 일기예보를 알려 줍니다.";
    definition.parameters = Json::parse(R"json({
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "City or place, in any language, for example 서울 or Paris", "minLength": 1, "maxLength": 100},
            "days": {"type": "integer", "description": "Days of forecast, today included", "minimum": 1, "maximum": 16, "default": 1}
        },
        "required": ["location"],
        "additionalProperties": false
    })json");
    return definition;
}

bool has_korean(std::string_view text)
{
    for (const char c : text)  // Hangul syllables begin with EA … ED
        if (static_cast<unsigned char>(c) >= 0xea && static_cast<unsigned char>(c) <= 0xed)
            return true;
    return false;
}

// The base may have a path of its own; a version's path that stands there already is not added again.
std::string joined_url(std::string base, std::string_view path)
{
    while (base.ends_with('/'))
        base.pop_back();
    return base.ends_with(path) ? base : base + std::string(path);
}

struct Place {
    std::string name;
    std::string country;
    std::string region;
    double latitude = 0;
    double longitude = 0;
};

std::string text_at(const Json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<Place> first_place(const Json& answer)
{
    const auto results = answer.find("results");
    if (results == answer.end() || !results->is_array() || results->empty() || !results->front().is_object())
        return std::nullopt;
    const auto& first = results->front();
    const auto latitude = first.value("latitude", Json());
    const auto longitude = first.value("longitude", Json());
    if (!latitude.is_number() || !longitude.is_number())
        return std::nullopt;
    return Place{text_at(first, "name"), text_at(first, "country"), text_at(first, "admin1"), latitude.get<double>(),
                 longitude.get<double>()};
}

// One row of "daily", which Open-Meteo gives as a list per variable.
Json day_of(const Json& daily, std::size_t day)
{
    auto row = Json::object();
    for (const auto& [name, list] : daily.items())
        if (list.is_array() && day < list.size() && !list[day].is_null())
            row[name == "time" ? "date" : name] = list[day];
    return row;
}

void describe_code(Json& row)
{
    if (const auto code = row.find("weather_code"); code != row.end() && code->is_number_integer())
        row["weather"] = weather_word(code->get<int>());
}

Json weather_result(const Place& place, const Json& answer)
{
    auto result = Json::object();
    result["location"] = {{"name", place.name},
                          {"country", place.country},
                          {"region", place.region},
                          {"latitude", place.latitude},
                          {"longitude", place.longitude}};
    for (const char* key : {"timezone", "current", "current_units", "daily_units"})
        if (answer.contains(key))
            result[key] = answer[key];
    if (result.contains("current") && result["current"].is_object())
        describe_code(result["current"]);
    const auto daily = answer.find("daily");
    if (daily == answer.end() || !daily->is_object() || !daily->contains("time") || !(*daily)["time"].is_array())
        return result;
    result["daily"] = Json::array();
    for (std::size_t day = 0; day < (*daily)["time"].size(); ++day) {
        auto row = day_of(*daily, day);
        describe_code(row);
        result["daily"].push_back(std::move(row));
    }
    return result;
}

class Weather final : public Tool {
public:
    Weather(WeatherUrls urls, HttpToolWorld world) : urls_(std::move(urls)), world_(world)
    {
        if (urls_.geocoding.empty())
            urls_.geocoding = urls_.forecast;
    }

    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "built-in"; }
    std::string why_unavailable() const override
    {
        return urls_.forecast.empty() ? "tools.weather_url is not configured" : "";
    }

    Task<Result<Json>> execute(const Json& arguments, const Caller&, Deadline deadline) override
    {
        const auto wanted = arguments.at("location").get<std::string>();
        auto place = co_await find_place(wanted, deadline);
        if (!place)
            co_return place.error();
        const auto days = arguments.value("days", std::int64_t{1});
        const auto answer =
            co_await ask(joined_url(urls_.forecast, "/v1/forecast") + "?latitude=" + dump(Json(place->latitude)) +
                             "&longitude=" + dump(Json(place->longitude)) +
                             "&current=temperature_2m,apparent_temperature,relative_humidity_2m,precipitation,"
                             "weather_code,wind_speed_10m"
                             "&daily=weather_code,temperature_2m_max,temperature_2m_min,"
                             "precipitation_probability_max,precipitation_sum&timezone=auto&forecast_days=" +
                             std::to_string(days),
                         deadline);
        if (!answer)
            co_return answer.error();
        if (!answer->contains("current") && !answer->contains("daily"))
            co_return Error(Errc::upstream_failed, "The weather server's answer holds no weather.");
        co_return weather_result(*place, *answer);
    }

private:
    Task<Result<Place>> find_place(const std::string& wanted, Deadline deadline)
    {
        for (const auto& spelling : place_spellings(wanted)) {
            const auto answer =
                co_await ask(joined_url(urls_.geocoding, "/v1/search") + "?name=" + percent_encode(spelling) +
                                 "&count=1&language=" + (has_korean(wanted) ? "ko" : "en") + "&format=json",
                             deadline);
            if (!answer)
                co_return answer.error();
            if (auto place = first_place(*answer))
                co_return std::move(*place);
        }
        co_return Error(Errc::not_found, "No place named '" + wanted + "' was found.");
    }

    Task<Result<Json>> ask(std::string url, Deadline deadline)
    {
        http::FetchRequest request;
        request.url = std::move(url);
        request.headers = {{"Accept", "application/json"}};
        request.deadline = deadline;
        request.largest_answer = largest_forecast;
        const auto answer = co_await http::fetch(world_.client, world_.egress, std::move(request));
        if (!answer)
            co_return answer.error();
        auto document = http_tool_result({}, *answer);
        if (document && !document->is_object())
            co_return Error(Errc::upstream_failed, "The weather server's answer is not what it should be.");
        co_return document;
    }

    const model::ToolDefinition definition_ = weather_definition();
    WeatherUrls urls_;
    const HttpToolWorld world_;
};

}  // namespace weather_parts

std::vector<std::string> place_spellings(const std::string& place)
{
    const std::string plain(trim(place));
    std::vector<std::string> all{plain};
    for (const std::string_view suffix : {"특별자치시", "특별자치도", "특별시", "광역시", "시", "군", "도"}) {
        constexpr std::size_t two_syllables = 6;
        if (plain.ends_with(suffix) && plain.size() - suffix.size() >= two_syllables) {
            all.push_back(plain.substr(0, plain.size() - suffix.size()));
            break;
        }
    }
    // "Seoul, Korea": geocoders look for names, not addresses.
    if (const auto comma = plain.find(','); comma != std::string::npos && comma > 0)
        all.emplace_back(trim(std::string_view(plain).substr(0, comma)));
    return all;
}

std::string_view weather_word(int code)
{
    struct Range {
        int first, last;
        std::string_view word;
    };
    static constexpr Range words[] = {
        {0, 0, "clear sky"},
        {1, 1, "mainly clear"},
        {2, 2, "partly cloudy"},
        {3, 3, "overcast"},
        {45, 48, "fog"},
        {51, 55, "drizzle"},
        {56, 57, "freezing drizzle"},
        {61, 65, "rain"},
        {66, 67, "freezing rain"},
        {71, 75, "snow"},
        {77, 77, "snow grains"},
        {80, 82, "rain showers"},
        {85, 86, "snow showers"},
        {95, 95, "thunderstorm"},
        {96, 99, "thunderstorm with hail"},
    };
    for (const auto& range : words)
        if (code >= range.first && code <= range.last)
            return range.word;
    return "unknown";
}

std::unique_ptr<Tool> make_weather(WeatherUrls urls, HttpToolWorld world)
{
    return std::make_unique<weather_parts::Weather>(std::move(urls), world);
}

}  // namespace dure::tools
