// A child process with its standard input, output and error as pipes of this core. It inherits nothing: no descriptors,
// no signal mask, and of the environment only what it is given.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"

namespace dure::tools::mcp {

class Child {
public:
    explicit Child(boost::asio::any_io_executor executor) : input(executor), output(executor), errors(executor) {}
    // Kills the process group if it still runs; without waiting for more than the kernel.
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // command[0] is looked for in PATH. upstream_failed, detail with the cause.
    Result<void> start(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment);
    // Closes the input, then asks (SIGTERM) and in the end kills its process group; returns when it is gone.
    Task<void> stop(Deadline deadline);

    boost::asio::posix::stream_descriptor input;  // its standard input, written by us
    boost::asio::posix::stream_descriptor output;
    boost::asio::posix::stream_descriptor errors;

private:
    bool gone();
    Task<bool> gone_within(Steady::duration patience);

    int pid_ = -1;
};

}  // namespace dure::tools::mcp
