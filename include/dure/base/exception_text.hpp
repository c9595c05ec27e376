// What an exception says, for logs: never for clients.
#pragma once

#include <exception>
#include <string>

namespace dure {

inline std::string exception_text(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

}  // namespace dure
