// Part of every test program: a write to a socket or pipe whose other end has gone is an error of the write, as
// app/signals makes it at the server's start, and not the end of the program.
#include <csignal>

namespace {

const auto before = std::signal(SIGPIPE, SIG_IGN);

}  // namespace
