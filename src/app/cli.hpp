// The command line: one sub-command per task, a bare `dure` serves. Exit codes: 0 done, 1 refused, 2 usage.
#pragma once

namespace dure::app {

int run_command_line(int argc, char** argv);

}  // namespace dure::app
