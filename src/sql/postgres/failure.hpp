// What an exception of libpqxx means: for the caller of a statement (Error) and for the driver (Kind).
#pragma once

#include <string>
#include <string_view>

#include "dure/base/error.hpp"

namespace dure::sql {

struct PostgresFailure {
    enum class Kind {
        statement,  // the statement is refused; the connection is good
        again,      // not serialisable or a deadlock: the same unit can be run again
        lost,       // the connection, or what it has prepared, cannot be used any more
        unclear,    // the connection is said to be open, but the answer was not one of the server
    };
    Kind kind = Kind::statement;
    Error error;
    std::string state = {};  // SQLSTATE, when the server gave one
};

// Only inside a catch block: the exception of this block. `open`: what the connection says of itself after it.
PostgresFailure current_failure(bool open, std::string_view sql);

}  // namespace dure::sql
