// See watch.hpp.
#include "http/client/watch.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <utility>

namespace dure::http::outgoing {

namespace asio = boost::asio;

void Socket::start(asio::detail::reactor& reactor, asio::detail::reactor_op& operation)
{
    auto& socket = impl_.get_implementation();
    reactor.start_op(asio::detail::reactor::read_op, socket.socket_, socket.reactor_data_, &operation, true, true);
}

Watch::Watch(Socket& socket)
    : socket_(&socket), reactor_(asio::use_service<asio::detail::reactor>(socket.get_executor().context())),
      operation_(*this), timer_(socket.get_executor())
{}

void Watch::arm(Steady::time_point until)
{
    fired_ = false;
    deadline_ = until;
    if (until != Steady::time_point::max() && (!running_ || until < timer_.expiry()))
        start(until);
}

bool Watch::disarm()
{
    deadline_ = Steady::time_point::max();
    return fired_;
}

void Watch::forget_socket()
{
    socket_ = nullptr;
    timer_.cancel();
}

void Watch::start(Steady::time_point until)
{
    running_ = true;
    timer_.expires_at(until);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error)
            self->fire();
    });
}

void Watch::fire()
{
    running_ = false;
    if (socket_ == nullptr || deadline_ == Steady::time_point::max())
        return;
    if (Steady::now() < deadline_)
        return start(deadline_);
    fired_ = true;
    interrupt();
}

void Watch::interrupt()
{
    boost::system::error_code ignored;   // a socket that is closed already needs no interrupting
    if (socket_ != nullptr)
        socket_->cancel(ignored);
}

void Watch::resume_when_readable(Waiter waiter)
{
    auto slot = asio::get_associated_cancellation_slot(waiter);
    if (slot.is_connected())
        slot.assign([this](asio::cancellation_type) { interrupt(); });   // the waiter's end takes it out again
    operation_.ec_ = {};
    waiter_.emplace(std::move(waiter));
    self_ = shared_from_this();
    socket_->start(reactor_, operation_);
}

// Without a scheduler the loop has ended, and who waits is destroyed.
void Watch::Operation::complete(void* scheduler, asio::detail::operation* base, const boost::system::error_code&,
                                std::size_t)
{
    Watch& watch = static_cast<Operation*>(base)->watch;
    const auto self = std::move(watch.self_);
    Waiter waiter = std::move(*watch.waiter_);
    watch.waiter_.reset();
    if (scheduler != nullptr)
        waiter();
}

}  // namespace dure::http::outgoing
