// See slug.hpp.
#include "flows/service/slug.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "dure/base/text.hpp"

namespace dure::flows {

namespace {

constexpr std::size_t longest_slug = 64;   // characters
constexpr std::size_t id_ending = 8;
constexpr std::uint32_t first_syllable = 0xAC00, last_syllable = 0xD7A3;

// Words of addresses (`/flows/save`), and names that some file systems keep for devices.
constexpr std::array<std::string_view, 12> reserved{"save", "validate", "import", "export", "templates", "new",
                                                    "con",  "prn",      "aux",    "nul",    "com1",      "lpt1"};

// Code points of valid UTF-8; a bad byte counts as one of no meaning.
std::vector<std::uint32_t> code_points(std::string_view text)
{
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        std::uint32_t point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        for (std::size_t k = 1; k < size && i + k < text.size(); ++k)
            point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
        out.push_back(point);
        i += size;
    }
    return out;
}

// Syllables that came as conjoining letters (ᄒ ᅡ ᆫ), as file names of some systems do: Unicode's composition.
std::vector<std::uint32_t> composed(const std::vector<std::uint32_t>& points)
{
    std::vector<std::uint32_t> out;
    for (const auto point : points) {
        const bool vowel = point >= 0x1161 && point <= 0x1175;
        const bool final = point >= 0x11A8 && point <= 0x11C2;
        if (vowel && !out.empty() && out.back() >= 0x1100 && out.back() <= 0x1112)
            out.back() = first_syllable + ((out.back() - 0x1100) * 21 + (point - 0x1161)) * 28;
        else if (final && !out.empty() && out.back() >= first_syllable && out.back() <= last_syllable &&
                 (out.back() - first_syllable) % 28 == 0)
            out.back() += point - 0x11A7;
        else
            out.push_back(point);
    }
    return out;
}

// What a character becomes; 0: a dash.
std::uint32_t slug_character(std::uint32_t point)
{
    if (point >= 'A' && point <= 'Z')
        return point + ('a' - 'A');
    const bool kept = (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') ||
                      (point >= first_syllable && point <= last_syllable);
    return kept ? point : 0;
}

std::string shortened(std::string_view slug, std::size_t characters)
{
    const auto points = code_points(slug);
    std::string out;
    for (std::size_t i = 0; i < std::min(points.size(), characters); ++i)
        append_utf8(out, points[i]);
    while (out.ends_with('-'))
        out.pop_back();
    return out;
}

}  // namespace

std::string slug_of(std::string_view name)
{
    std::string slug;
    for (const auto point : composed(code_points(name)))
        if (const auto kept = slug_character(point); kept != 0)
            append_utf8(slug, kept);
        else if (!slug.empty() && !slug.ends_with('-'))
            slug += '-';
    slug = shortened(slug, longest_slug);
    if (slug.empty())
        return "flow";
    if (std::find(reserved.begin(), reserved.end(), slug) != reserved.end())
        return slug + "-flow";
    return slug;
}

std::string slug_with_id(std::string_view slug, std::string_view id)
{
    const auto ending = id.substr(id.size() - std::min(id.size(), id_ending));
    return shortened(slug, longest_slug - id_ending - 1) + "-" + std::string(ending);
}

bool is_slug(std::string_view text)
{
    const auto points = code_points(text);
    return !points.empty() && points.size() <= longest_slug && valid_utf8(text) &&
           std::all_of(points.begin(), points.end(),
                       [](std::uint32_t point) { return point == '-' || slug_character(point) == point; });
}

}  // namespace dure::flows
