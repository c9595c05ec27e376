// See spare_room.hpp.
#include "dure/base/spare_room.hpp"

#include <array>
#include <utility>

namespace dure {
namespace spare_room_parts {

constexpr std::size_t largest = 16 * 1024;

struct Spare {
    std::array<std::string, 4> texts;
    std::size_t count = 0;
};

thread_local Spare spare;

bool has_room(const std::string& text)
{
    return text.capacity() > std::string().capacity();
}

}  // namespace spare_room_parts

using namespace spare_room_parts;

void borrow_room(std::string& text)
{
    if (has_room(text) || spare.count == 0)
        return;
    auto& lent = spare.texts[--spare.count];
    if (!text.empty())   // short: it has no room of its own
        lent.assign(text);
    text.swap(lent);
}

void return_room(std::string& text)
{
    text.clear();
    if (!has_room(text))
        return;
    if (spare.count < spare.texts.size() && text.capacity() <= largest)
        spare.texts[spare.count++].swap(text);
    std::string().swap(text);
}

}  // namespace dure
