// See receive.hpp.
#include "http/server/receive.hpp"

#include <boost/asio/detail/socket_ops.hpp>
#include <utility>

#include "http/server/link.hpp"

namespace dure::http {

namespace asio = boost::asio;
using boost::system::error_code;

void ClientSocket::start(asio::detail::reactor& reactor, asio::detail::reactor_op& operation)
{
    auto& socket = impl_.get_implementation();
    operation.cancellation_key_ = &operation;
    reactor.start_op(asio::detail::reactor::read_op, socket.socket_, socket.reactor_data_, &operation, true, true);
}

void ClientSocket::cancel(asio::detail::reactor& reactor, asio::detail::reactor_op& operation)
{
    auto& socket = impl_.get_implementation();
    reactor.cancel_ops_by_key(socket.socket_, socket.reactor_data_, asio::detail::reactor::read_op, &operation);
}

void SecondLooks::add(std::weak_ptr<Link> link)
{
    listed_.push_back(std::move(link));
    if (listed_.size() > 1)
        return;
    timer_.expires_after(pause);
    timer_.async_wait([self = shared_from_this()](error_code error) {
        if (!error)
            self->look();
    });
}

void SecondLooks::look()
{
    for (const auto& listed : std::exchange(listed_, {}))
        if (const auto link = listed.lock())
            link->second_look();
}

Receive::Receive(Link& link, ClientSocket& socket, std::shared_ptr<SecondLooks> looks)
    : reactor_op({}, &perform, &complete), link_(link), socket_(socket),
      reactor_(asio::use_service<asio::detail::reactor>(asio::query(socket.get_executor(), asio::execution::context))),
      looks_(std::move(looks))
{}

void Receive::start()
{
    ec_ = {};
    bytes_transferred_ = 0;
    self_ = link_.shared_from_this();
    socket_.start(reactor_, *this);
}

bool Receive::try_now()
{
    ec_ = {};
    const auto room = link_.room();
    const bool done = asio::detail::socket_ops::non_blocking_recv1(socket_.native_handle(), room.data(), room.size(),
                                                                   MSG_DONTWAIT, true, ec_, bytes_transferred_);
    came_short_ = done && !ec_ && bytes_transferred_ < room.size();
    return done;
}

// Called by the reactor, on the link's core.
Receive::status Receive::perform(reactor_op* base)
{
    auto& receive = *static_cast<Receive*>(base);
    if (!receive.try_now())
        return not_done;
    return receive.came_short_ ? done_and_exhausted : done;
}

// Without a scheduler the loop has ended, and who waits is destroyed.
void Receive::complete(void* scheduler, asio::detail::operation* base, const error_code&, std::size_t)
{
    auto& receive = *static_cast<Receive*>(base);
    const auto self = std::move(receive.self_);
    const bool taken_back = std::exchange(receive.taken_back_, false) && receive.ec_ == asio::error::operation_aborted;
    if (scheduler == nullptr)
        return;
    if (taken_back && receive.socket_.is_open()) {
        if (!receive.try_now())
            return receive.start();
        receive.came_short_ =
            !receive.ec_;   // the reactor did not see this read, and would queue the next without a try
    }
    if (receive.came_short_)
        receive.list();
    receive.link_.on_read(receive.ec_, receive.bytes_transferred_);
}

void Receive::list()
{
    if (!std::exchange(listed_, true))
        looks_->add(link_.weak_from_this());
}

void Receive::second_look()
{
    listed_ = false;
    if (came_short_ && !self_ && socket_.is_open())
        list();   // nothing is being read: the input is full, or in use
    else
        look_again();
}

void Receive::look_again()
{
    if (!came_short_ || !self_ || !socket_.is_open())
        return;
    taken_back_ = true;
    socket_.cancel(reactor_, *this);
}

}  // namespace dure::http
