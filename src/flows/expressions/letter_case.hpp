// Upper and lower case in every script that has them, character by character and without regard to a language; see
// letter_case.cpp. Texts grow to one and a half times their bytes at most. Bytes that are no UTF-8 stay.
#pragma once

#include <string>
#include <string_view>

namespace dure::flows {

std::string upper_case(std::string_view text);
std::string lower_case(std::string_view text);
// The same for texts that differ in case only.
std::string without_case(std::string_view text);

}  // namespace dure::flows
