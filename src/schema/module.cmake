# RE2's package file adds -pthread to the compile line, which the shared precompiled header was not made with; threads come
# from Threads::Threads at link time anyway.
set_target_properties(PkgConfig::RE2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
