# Sourced by the scripts: build options that every configure step shares.
# ccache makes a second clean build short; clang's precompiled headers need their time stamp left out for it to hit.
cmake_options=()
if command -v ccache >/dev/null; then
    export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    cmake_options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache "-DCMAKE_CXX_FLAGS=-Xclang -fno-pch-timestamp")
fi
