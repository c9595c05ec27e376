# Argon2id for passwords.
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
target_link_libraries(dure_auth PUBLIC PkgConfig::ARGON2)
