// Link; see link.hpp.
#include "redis/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "dure/base/timeout.hpp"
#include "dure/base/tls.hpp"

namespace dure::redis {

namespace links {

constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);

Error not_opened(std::string why)
{
    return Error(Errc::unavailable, "Redis could not be reached.").detail(std::move(why));
}

}  // namespace links

using boost::asio::ip::tcp;

Link::Link(boost::asio::io_context& core, const Target& target) : target_(target), socket_(core), input_(16 * 1024)
{
    if (target_.tls)
        tls_.emplace(socket_, *target_.tls);
}

Task<Result<void>> Link::open(Deadline until)
{
    auto outcome = co_await with_timeout(connect_and_greet(), until);
    if (!outcome)
        outcome = links::not_opened("time is over");
    if (!*outcome)
        close();
    co_return std::move(*outcome);
}

Task<Result<void>> Link::connect_and_greet()
{
    const auto& address = target_.address;
    tcp::resolver resolver(socket_.get_executor());
    auto [not_found, endpoints] = co_await resolver.async_resolve(
        address.host, std::to_string(address.port), boost::asio::ip::resolver_base::numeric_service, links::as_result);
    if (not_found)
        co_return links::not_opened("name not found: " + not_found.message());
    const auto [refused, endpoint] = co_await boost::asio::async_connect(socket_, endpoints, links::as_result);
    if (refused)
        co_return links::not_opened(refused.message());
    boost::system::error_code ignored;   // slower without it, nothing else
    socket_.set_option(tcp::no_delay(true), ignored);
    if (tls_)
        if (auto secured = co_await secure(); !secured)
            co_return secured.error();
    co_return co_await greet();
}

Task<Result<void>> Link::secure()
{
    if (!expect_peer(tls_->native_handle(), target_.address.host))
        co_return links::not_opened("its name cannot be checked");
    const auto [refused] = co_await tls_->async_handshake(boost::asio::ssl::stream_base::client, links::as_result);
    if (!refused)
        co_return Result<void>();
    const auto verified = SSL_get_verify_result(tls_->native_handle());
    co_return links::not_opened(verified == X509_V_OK ? "TLS: " + refused.message()
                                                      : "TLS: " + std::string(X509_verify_cert_error_string(verified)));
}

Task<Result<void>> Link::greet()
{
    const auto& address = target_.address;
    std::string greeting;
    std::size_t expected = 1;
    Arguments login{"AUTH"};
    if (!address.user.empty())
        login.push_back(address.user);
    if (!address.password.empty()) {
        login.emplace_back(address.password.reveal());
        append_command(greeting, login);
        ++expected;
    }
    if (address.database != 0) {
        append_command(greeting, {"SELECT", std::to_string(address.database)});
        ++expected;
    }
    append_command(greeting, {"PING"});
    write(greeting);
    while (expected > 0) {
        const auto reply = take();
        if (!reply) {
            if (!co_await fill())
                co_return links::not_opened("connection closed during log-in");
            continue;
        }
        if (reply->kind == Reply::Kind::error)
            co_return links::not_opened(reply->text);
        --expected;
    }
    co_return Result<void>();
}

void Link::write(std::string_view bytes)
{
    if (closed_)
        return;
    waiting_ += bytes;
    if (leaving_.empty())
        send_waiting();
}

void Link::send_waiting()
{
    leaving_.swap(waiting_);
    auto sent = [self = shared_from_this()](boost::system::error_code error, std::size_t) {
        self->leaving_.clear();
        if (error)
            self->close();
        else if (!self->waiting_.empty() && !self->closed_)
            self->send_waiting();
    };
    if (tls_)
        boost::asio::async_write(*tls_, boost::asio::buffer(leaving_), std::move(sent));
    else
        boost::asio::async_write(socket_, boost::asio::buffer(leaving_), std::move(sent));
}

Task<bool> Link::fill()
{
    if (replies_.broken())
        close();
    if (closed_)
        co_return false;
    const auto into = boost::asio::buffer(input_);
    const auto [error, size] = tls_ ? co_await tls_->async_read_some(into, links::as_result)
                                    : co_await socket_.async_read_some(into, links::as_result);
    if (error == boost::asio::error::operation_aborted && !closed_)
        throw boost::system::system_error(error);   // the waiting coroutine was cancelled, the link is whole
    if (error || closed_ || !replies_.feed({input_.data(), size})) {
        close();
        co_return false;
    }
    co_return true;
}

void Link::close()
{
    if (closed_)
        return;
    closed_ = true;
    boost::system::error_code ignored;   // it is given up either way
    socket_.close(ignored);
}

}  // namespace dure::redis
