// The built-in tools that ask a server of the operator's choice: weather (Open-Meteo's form) and search (SearXNG's form).
#pragma once

#include <memory>
#include <string>

#include "tools/http/http_tool.hpp"

namespace dure::tools {

struct WeatherUrls {
    std::string forecast;  // "https://api.open-meteo.com"; empty: the tool is not available
    std::string geocoding;  // empty: the same server
};

std::unique_ptr<Tool> make_weather(WeatherUrls urls, HttpToolWorld world);
std::unique_ptr<Tool> make_search(std::string url, HttpToolWorld world);

// "서울특별시" -> {"서울특별시", "서울"}: what a place is looked up as, in this order.
std::vector<std::string> place_spellings(const std::string& place);
// The word of a WMO weather code.
std::string_view weather_word(int code);

}  // namespace dure::tools
