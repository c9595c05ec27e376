// Entry point: hands the command line to the CLI.
#include "app/cli.hpp"

int main(int argc, char** argv)
{
    return dure::app::run_command_line(argc, argv);
}
