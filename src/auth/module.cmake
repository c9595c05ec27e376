# Password hashing is the reference argon2; nobody else links it.
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
set_target_properties(PkgConfig::ARGON2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
target_link_libraries(dure_auth PRIVATE PkgConfig::ARGON2)
