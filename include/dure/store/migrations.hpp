// The scripts of migrations/, built into the binary (src/store/module.cmake).
#pragma once

#include <span>

#include "dure/sql/migrator.hpp"

namespace dure::store {

std::span<const sql::Migration> migrations();

}  // namespace dure::store
