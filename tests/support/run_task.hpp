// Runs one coroutine to its end on a fresh single-threaded loop; an exception leaves through run().
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "dure/base/task.hpp"

namespace dure::test {

template <class MakeTask>
void run(MakeTask make_task)
{
    boost::asio::io_context loop(1);
    std::exception_ptr thrown;
    boost::asio::co_spawn(loop, make_task(), [&](std::exception_ptr error) { thrown = error; });
    loop.run();
    if (thrown)
        std::rethrow_exception(thrown);
}

}  // namespace dure::test
