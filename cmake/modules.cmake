# How a module becomes a library. Sources are found by folder, so that adding a file needs no edit here;
# the order of the dure_module() calls in the top-level list is the order of the floors, and a module can
# only link what was declared before it.

add_library(dure_options INTERFACE)
target_compile_features(dure_options INTERFACE cxx_std_20)
# -pthread: RE2 asks for it, and the precompiled header must be made with it too.
target_compile_options(dure_options INTERFACE -pthread -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -Werror -Wno-unused-command-line-argument)
target_compile_definitions(dure_options INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
    BOOST_ALL_NO_LIB JSON_USE_IMPLICIT_CONVERSIONS=0)
# Coroutine frames through operator new: none is aligned beyond it, and jemalloc's aligned_alloc takes four times as long.
target_compile_definitions(dure_options INTERFACE
    $<$<CONFIG:Release>:BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC> $<$<CONFIG:Release>:BOOST_ASIO_DISABLE_BOOST_ALIGN>)
target_include_directories(dure_options INTERFACE ${PROJECT_SOURCE_DIR}/include)

set(DURE_SANITIZE "" CACHE STRING "Sanitizers for the whole build: empty, 'address,undefined' or 'thread'")
if(DURE_SANITIZE)
    add_compile_options(-fsanitize=${DURE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${DURE_SANITIZE})
    if(DURE_FUZZ)
        add_compile_options(-fsanitize=fuzzer-no-link)   # the modules are watched and guide the fuzzers
    endif()
endif()

# A release build is laid out by a profile: how often each road of the server was walked under load (scripts/release-profile makes it
# anew). It says what is inlined and which branch comes first; what has changed since is built as if there were none.
set(DURE_PROFILE "" CACHE STRING "Profile of the server's roads: empty, 'use' or 'make'")
if(DURE_PROFILE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-mllvm -static-func-full-module-prefix=false")   # names without folders: the same in every checkout
    if(DURE_PROFILE STREQUAL "make")
        add_compile_options(-fprofile-generate -fprofile-update=atomic)
        add_link_options(-fprofile-generate)
    elseif(DURE_PROFILE STREQUAL "use")
        set(profile ${PROJECT_SOURCE_DIR}/cmake/release.profdata)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${profile})
        file(SHA256 ${profile} profile_hash)   # in the name: another profile is another command, so all is built again
        string(SUBSTRING ${profile_hash} 0 8 profile_hash)
        configure_file(${profile} ${PROJECT_BINARY_DIR}/release-${profile_hash}.profdata COPYONLY)
        # backend-plugin: a function that has changed since the profile was made.
        add_compile_options(-fprofile-use=${PROJECT_BINARY_DIR}/release-${profile_hash}.profdata -Wno-backend-plugin)
    else()
        message(FATAL_ERROR "DURE_PROFILE is '${DURE_PROFILE}': it is empty, 'use' or 'make'")
    endif()
endif()

# dure_module(NAME DEPENDS modules... EXTERNAL libraries...): library dure_NAME from src/NAME and include/dure/NAME.
function(dure_module name)
    cmake_parse_arguments(ARG "" "" "DEPENDS;EXTERNAL" ${ARGN})
    set_property(GLOBAL APPEND PROPERTY DURE_MODULES ${name})
    string(REPLACE ";" " " depends "${ARG_DEPENDS}")
    set_property(GLOBAL APPEND_STRING PROPERTY DURE_INCLUDE_RULES "${name}: ${depends}\n")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
    set(links ${ARG_EXTERNAL})
    foreach(dependency IN LISTS ARG_DEPENDS)
        list(APPEND links dure_${dependency})
    endforeach()
    set(extra ${PROJECT_SOURCE_DIR}/src/${name}/module.cmake)
    if(NOT sources)
        add_library(dure_${name} INTERFACE)
        target_link_libraries(dure_${name} INTERFACE dure_options ${links})
        return()
    endif()
    add_library(dure_${name} STATIC ${sources})
    target_include_directories(dure_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(dure_${name} PUBLIC dure_options ${links})
    if(NOT name STREQUAL base)
        target_precompile_headers(dure_${name} REUSE_FROM dure_base)
    endif()
    if(EXISTS ${extra})   # what only this module needs: generated sources, a private library
        include(${extra})
    endif()
endfunction()

# dure_tests(NAME): tests/NAME/**/*_test.cpp become the GoogleTest program test_NAME, linked with the module of that name.
function(dure_tests name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp)
    if(NOT sources)
        return()
    endif()
    add_executable(test_${name} ${sources} ${PROJECT_SOURCE_DIR}/tests/support/failed_writes.cpp)
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(test_${name} PRIVATE DURE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_link_libraries(test_${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
    if(TARGET dure_plain_tests AND NOT name IN_LIST DURE_COMPUTING_TESTS)
        target_compile_options(test_${name} PRIVATE ${DURE_PLAIN_OPTIONS})
        target_precompile_headers(test_${name} REUSE_FROM dure_plain_tests)
    else()
        target_precompile_headers(test_${name} REUSE_FROM dure_base)
    endif()
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. PROPERTIES LABELS ${name} TIMEOUT 120
        DISCOVERY_MODE PRE_TEST)
endfunction()
