# Upper and lower case of all scripts: utf8proc.
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
target_link_libraries(dure_flows PRIVATE PkgConfig::UTF8PROC)
