# Version and commit of the build; CLI11 is header-only. A build without git (a source archive) says "unknown".
find_package(CLI11 REQUIRED)
execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE dure_commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT dure_commit)
    set(dure_commit unknown)
endif()
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/app/cli.cpp ${PROJECT_SOURCE_DIR}/src/app/application.cpp
    TARGET_DIRECTORY dure_app PROPERTIES
    COMPILE_DEFINITIONS "DURE_VERSION=\"${PROJECT_VERSION}\";DURE_COMMIT=\"${dure_commit}\""
    SKIP_UNITY_BUILD_INCLUSION ON)
target_link_libraries(dure_app PUBLIC CLI11::CLI11)
