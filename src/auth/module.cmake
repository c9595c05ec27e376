# Password hashing is the reference argon2, utf8proc composes what was typed.
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
set_target_properties(PkgConfig::ARGON2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
target_link_libraries(dure_auth PRIVATE PkgConfig::ARGON2 PkgConfig::UTF8PROC)
