# Writes OUTPUT, a C++ file with every script of FOLDER: NNNN_name.sql, or NNNN_name.<dialect>.sql for one dialect only.
file(GLOB files ${FOLDER}/*.sql)
list(SORT files)
set(entries "")
foreach(file IN LISTS files)
    get_filename_component(base ${file} NAME)
    if(NOT base MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)(\\.(sqlite|postgres))?\\.sql$")
        message(FATAL_ERROR "migrations/${base}: expected NNNN_name.sql, NNNN_name.sqlite.sql or NNNN_name.postgres.sql")
    endif()
    set(digits ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    set(dialect "${CMAKE_MATCH_4}")
    string(REGEX REPLACE "^0+" "" number ${digits})
    file(READ ${file} text)
    string(APPEND entries "    {${number}, \"${name}\", \"${dialect}\", R\"dure_sql(${text})dure_sql\"},\n")
endforeach()

file(WRITE ${OUTPUT} "// Made from migrations/*.sql by src/store/embed_migrations.cmake.
#include \"dure/store/migrations.hpp\"

namespace dure::store {

std::span<const sql::Migration> migrations()
{
    static constexpr sql::Migration all[] = {
${entries}    };
    return all;
}

}  // namespace dure::store
")
