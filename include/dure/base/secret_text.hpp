// Text from a far side in which the secrets it was sent are not shown again.
#pragma once

#include <string>
#include <vector>

namespace dure {

// Each of `secrets` reads "[secret]" in it. Longer ones first where one holds another; empty ones are not looked for.
std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

}  // namespace dure
