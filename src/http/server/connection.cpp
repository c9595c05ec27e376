// The life of a connection; bodies are in connection_body.cpp, answers in connection_answer.cpp.
#include "http/server/connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/exception_text.hpp"

namespace dure::http {
namespace connection_parts {

constexpr auto linger_limit = std::chrono::seconds(2);

bool kept_request_id(std::string_view id)
{
    return !id.empty() && id.size() <= 64 &&
           id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") == id.npos;
}

bool is_cancellation(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

}  // namespace connection_parts

using namespace connection_parts;

Connection::Connection(std::shared_ptr<Core> core, Link::Socket socket, const boost::asio::ip::address& address)
    : link_(std::make_shared<Link>(std::move(socket), core->shared->tls.current().get(),
                                   core->shared->options.limits.write_stall, core->looks)),
      core_(std::move(core)), address_(address), address_text_(address.to_string()), guard_(limits())
{
}

Connection::~Connection()
{
    link_->close();
}

Task<void> Connection::run()
{
    link_->on_ended([weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->note_client_gone();
    });
    auto outcome = co_await link_->handshake(limits().header_timeout) ? Outcome::next : Outcome::close;
    idle_since_ = Steady::now();
    while (outcome == Outcome::next)
        outcome = co_await serve_one();
    if (outcome == Outcome::linger)
        co_await link_->linger(linger_limit);
    link_->close();
}

void Connection::end_if_idle()
{
    if (idle_)
        cancel();
}

void Connection::end_if_used_and_idle()
{
    if (requests_ > 0)
        end_if_idle();
}

void Connection::cancel()
{
    cancelled_ = true;
    cancel_.emit(boost::asio::cancellation_type::terminal);
}

void Connection::note_client_gone()
{
    if (in_handler_ && !upgraded_ && !cancelled_ && policy_ == OnClientGone::cancel)
        cancel();
}

void Connection::on_client_gone(OnClientGone policy)
{
    policy_ = policy;
    if (policy == OnClientGone::cancel && link_->ended())
        boost::asio::post(core_->context, [self = shared_from_this()] { self->note_client_gone(); });
}

Task<Connection::Outcome> Connection::read_head()
{
    guard_.restart();
    head_bytes_.clear();
    bool begun = !link_->input().empty();
    std::optional<Steady::time_point> rest_until;   // of a head of which some is there; one that comes whole needs no clock
    bool passed_blank = false;
    for (;;) {
        // RFC 9112 §2.2: one empty line before the request line, as old clients leave behind a body, is no request yet.
        if (!passed_blank && link_->input().starts_with("\r\n")) {
            passed_blank = true;
            link_->consume(2);
            begun = !link_->input().empty();
            rest_until.reset();
            idle_since_ = Steady::now();
        }
        const auto size = guard_.scan(link_->input());
        if (!size)
            co_return co_await refuse(size.error());
        if (*size > 0) {
            const auto accepted = accept_head(link_->input().substr(0, *size));
            if (!accepted)
                co_return co_await refuse(accepted.error());
            co_return Outcome::next;
        }
        if (!begun && shared().stopping && requests_ > 0)  // a new one has come to be told
            co_return Outcome::close;
        if (begun && !rest_until)
            rest_until = Steady::now() + limits().header_timeout;
        idle_ = !begun;
        const auto event = co_await link_->wait_input(begun ? *rest_until : idle_since_ + limits().keep_alive);
        idle_ = false;
        if (event == Link::Event::ended)
            co_return Outcome::close;
        if (event == Link::Event::timeout && !begun)
            co_return Outcome::close;
        if (event == Link::Event::timeout)
            co_return co_await refuse(Error(Errc::request_timeout, "The request head did not arrive in time."));
        begun = true;
    }
}

Result<void> Connection::accept_head(std::string_view bytes)
{
    head_bytes_.assign(bytes);
    link_->consume(bytes.size());
    auto framing = guard_.parse(head_bytes_, head_);
    if (!framing)
        return framing.error();
    framing_ = *framing;
    if (!shared().peers.host_allowed(framing_.host))
        return Error(Errc::invalid_argument, "This server does not answer to that Host name.").reason("host_not_allowed");
    const auto id = head_.header("x-request-id");
    if (id && kept_request_id(*id))
        head_.request_id.assign(*id);
    else
        head_.request_id = new_id();
    if (shared().peers.trusts(address_))
        head_.client_address = shared().peers.client_address(address_, head_);
    else
        head_.client_address = address_text_;
    return {};
}

void Connection::begin_exchange()
{
    ++requests_;
    policy_ = OnClientGone::finish;
    answer_ = Answer::none;
    status_ = 0;
    close_after_ = false;
    head_pending_ = false;
    body_raw_ = 0;
}

// Answers what never became an exchange.
Task<Connection::Outcome> Connection::refuse(Error error)
{
    const auto began = Steady::now();
    const auto bytes = head_bytes_.empty() ? link_->input() : std::string_view(head_bytes_);
    auto response = shared().application.render_error({HeadGuard::path_of(bytes), HeadGuard::origin_of(bytes)}, error);
    begin_exchange();
    head_.method = Method::get;
    head_.keep_alive = false;
    head_.request_id = new_id();
    framing_ = {};
    body_ = Body::none;
    const auto sent = co_await respond(std::move(response));
    shared().application.finished(nullptr, status_, Steady::now() - began);
    co_return sent ? Outcome::linger : Outcome::close;
}

Task<Connection::Outcome> Connection::serve_one()
{
    if (const auto outcome = co_await read_head(); outcome != Outcome::next)
        co_return outcome;
    began_ = Steady::now();
    begin_exchange();
    body_ = head_.has_body ? Body::unread : Body::none;
    link_->watch();
    core_->exchanges.fetch_add(1, std::memory_order_relaxed);
    std::exception_ptr thrown;
    in_handler_ = true;
    try {
        co_await shared().application.handle(*this);
    } catch (...) {
        thrown = std::current_exception();
    }
    in_handler_ = false;
    if ((thrown || answer_ != Answer::finished) && !upgraded_ && !cancelled_ && !broken_)
        co_await answer_failure(thrown);
    const auto outcome = settle();
    finish_exchange();
    co_return outcome;
}

// The handler threw or forgot to answer; what goes wrong in here ends the connection.
Task<void> Connection::answer_failure(std::exception_ptr thrown)
{
    shared().logger.error("request handler failed",
                          {{"request_id", head_.request_id},
                           {"method", name_of(head_.method)},
                           {"path", head_.path},
                           {"what", thrown ? exception_text(thrown) : "ended without an answer"}});
    if (answer_ != Answer::none)
        co_return;
    auto response = shared().application.render_error({head_.path, head_.header("origin").value_or("")},
                                                      Error(Errc::internal, "Internal server error"));
    std::exception_ptr failed;
    try {
        co_await respond(std::move(response));
    } catch (...) {
        failed = std::current_exception();
    }
    if (!failed)
        co_return;
    broken_ = true;
    if (!is_cancellation(failed))
        shared().logger.error("error answer failed",
                              {{"request_id", head_.request_id}, {"what", exception_text(failed)}});
}

Connection::Outcome Connection::settle() const
{
    if (cancelled_ || broken_ || upgraded_ || answer_ != Answer::finished)
        return Outcome::close;
    return close_after_ ? Outcome::linger : Outcome::next;
}

void Connection::finish_exchange()
{
    idle_since_ = Steady::now();
    shared().application.finished(&head_, status_, idle_since_ - began_);
    core_->exchanges.fetch_sub(1, std::memory_order_relaxed);
    link_->pin(false);
    if (body_raw_ > 0)
        link_->consume(body_raw_);
    large_body_.reset();
    if (budget_ > 0)
        shared().bodies.give_back(std::exchange(budget_, 0));
}

}  // namespace dure::http
