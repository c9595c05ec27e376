// Database: how a caller waits for its unit, as a coroutine or as a thread.
#include "dure/sql/database.hpp"

namespace dure::sql {

std::string_view name_of(Dialect dialect)
{
    switch (dialect) {
    case Dialect::sqlite: return "sqlite";
    case Dialect::postgres: return "postgres";
    }
    return "";
}

Task<void> Database::wait_for(Unit& unit, Access access)
{
    co_await await_callback([&](auto resume) {
        unit.done = resume;
        if (auto taken = submit(unit, access); !taken) {
            unit.error = taken.error();
            unit.done = nullptr;
            resume();
        }
    });
}

void Database::block_for(Unit& unit)
{
    std::binary_semaphore finished(0);
    unit.done = [&finished] { finished.release(); };
    if (auto taken = submit(unit, Access::write); !taken) {
        unit.error = taken.error();
        return;
    }
    finished.acquire();
}

}  // namespace dure::sql
