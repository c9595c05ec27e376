// Reading a user; the columns are named user_… where a query joins users to something else.
#pragma once

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

model::User user_from(const sql::Row& row, const std::string& prefix = "");

}  // namespace dure::store
