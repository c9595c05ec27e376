// One client connection: reads heads, hands each to the application as an Exchange, and decides after every answer
// whether the connection goes on. The connection is itself the Exchange of its current request; there is never more
// than one, so nothing is allocated for it.
//
//   run: [TLS] -> { read_head -> handle (read_body, answers) -> settle } ... -> linger or close
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <string>

#include "dure/http/server.hpp"
#include "http/server/head_guard.hpp"
#include "http/server/link.hpp"
#include "http/server/shared.hpp"

namespace dure::http {

class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<Core> core, Link::Socket socket, const boost::asio::ip::address& address);
    ~Connection() override;

    Task<void> run();
    boost::asio::cancellation_slot slot() { return cancel_.slot(); }

    // From the server, on this core: an idle connection ends at once; cancel() also ends a running handler.
    void end_if_idle();
    void end_if_used_and_idle();   // lets one that has asked for nothing yet ask
    void cancel();
    void close() { link_->close(); }
    void abort() { link_->abort(); }
    void abandon() { link_->abandon(); }

    const RequestHead& head() const override { return head_; }
    Task<Result<std::string_view>> read_body(std::size_t limit) override;
    void on_client_gone(OnClientGone policy) override;
    bool client_gone() const override { return link_->ended() || broken_; }
    Task<Result<void>> respond(Response response) override;
    Task<Result<void>> start_stream(Response head) override;
    Task<Result<void>> write(std::string_view bytes) override;
    Task<Result<void>> finish_stream(std::string_view last_bytes) override;
    Steady::time_point began() const override { return began_; }
    bool answer_started() const override { return answer_ != Answer::none; }
    int status() const override { return status_; }
    Task<Result<std::unique_ptr<WebSocket>>> upgrade(std::string_view subprotocol) override;

private:
    enum class Answer { none, streaming, finished };
    enum class Body { none, unread, reading, read };   // none: the request has no body
    enum class Outcome { next, linger, close };

    // Not members: a connection with its control block is just a size class of the allocator.
    Shared& shared() const { return *core_->shared; }
    const ServerLimits& limits() const { return shared().options.limits; }

    Task<Outcome> serve_one();
    Task<Outcome> read_head();       // next: head_ is there; else a refusal was answered when one was due
    Task<Outcome> refuse(Error error);
    Result<void> accept_head(std::string_view bytes);
    void begin_exchange();
    Task<void> answer_failure(std::exception_ptr thrown);
    Outcome settle() const;
    void note_client_gone();
    void finish_exchange();

    Result<void> check_body(std::size_t limit);
    Result<void> make_body_room(std::size_t have, std::size_t missing);
    Task<Result<void>> await_body_bytes(Steady::time_point until);
    Task<Result<std::size_t>> read_sized_body(std::size_t size, Steady::time_point until);
    Task<Result<std::size_t>> read_chunked_body(std::size_t limit, Steady::time_point until);

    void begin_answer(const Response& head, Answer state);
    void append_fields(const Response& response);
    bool send_now(Pieces& pieces);
    Task<Result<void>> send(Pieces pieces);
    Task<Result<void>> send_chunk(std::string_view bytes, bool last);
    Result<void> check_upgrade() const;

    // What a chunk of a stream needs stands together.
    std::shared_ptr<Link> link_;
    std::string out_;                // head of the answer, or the frame of a chunk
    Answer answer_ = Answer::none;
    bool broken_ = false;            // nothing more can be written
    bool head_pending_ = false;      // of a stream: in out_, not sent yet
    bool chunked_answer_ = false;
    bool bodiless_ = false;          // the stream answers a HEAD

    std::shared_ptr<Core> core_;
    boost::asio::ip::address address_;
    std::string address_text_;
    boost::asio::cancellation_signal cancel_;
    HeadGuard guard_;
    std::size_t requests_ = 0;
    Steady::time_point idle_since_;

    // Of the current exchange.
    RequestHead head_;
    Framing framing_;
    std::string head_bytes_;         // what head_ points into
    OnClientGone policy_ = OnClientGone::finish;
    Steady::time_point began_;
    Body body_ = Body::none;
    int status_ = 0;
    std::size_t body_raw_ = 0;       // bytes at the front of the input that the body still occupies
    std::unique_ptr<char[]> large_body_;
    std::size_t budget_ = 0;
    bool idle_ = false;              // waits for its next request
    bool in_handler_ = false;
    bool cancelled_ = false;         // the handler was told to end
    bool close_after_ = false;
    bool upgraded_ = false;
};

}  // namespace dure::http
