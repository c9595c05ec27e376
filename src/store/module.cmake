# migrations/*.sql become a table in the binary; the .sql files stay the one truth.
file(GLOB dure_migrations CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/migrations/*.sql)
set(dure_migrations_cpp ${CMAKE_CURRENT_BINARY_DIR}/generated/store/migrations.cpp)
add_custom_command(
    OUTPUT ${dure_migrations_cpp}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${PROJECT_SOURCE_DIR}/migrations -DOUTPUT=${dure_migrations_cpp}
            -P ${CMAKE_CURRENT_LIST_DIR}/embed_migrations.cmake
    DEPENDS ${dure_migrations} ${CMAKE_CURRENT_LIST_DIR}/embed_migrations.cmake
    COMMENT "Embedding the migrations"
    VERBATIM)
target_sources(dure_store PRIVATE ${dure_migrations_cpp})
