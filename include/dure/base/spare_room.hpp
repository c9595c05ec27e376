// Room for texts that live between two waits only. A stream that rests between two tokens holds none of it, and what the
// thread does next gets room that is still in its cache.
#pragma once

#include <string>

namespace dure {

// Gives `text` a spare buffer of this thread, when there is one and the text has none of its own. Its content stays.
void borrow_room(std::string& text);
// Empties `text` and keeps its buffer for the next who asks on this thread; a few of moderate size are kept.
void return_room(std::string& text);

}  // namespace dure
