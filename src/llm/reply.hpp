// The one way to the reader of a streamed answer: keeps the gateway's still-alive ticks (10 s without output, then after
// every `heartbeat` of silence) and the answer's own writes apart, so that the sink is called by one of them at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/llm/gateway.hpp"

namespace dure::llm {

class TargetHealth;

class Reply {
public:
    // sink may be null: nobody reads along. A relay's record is kept up to date while the answer is made, because the
    // response head, which goes out with the first output, tells of it.
    Reply(boost::asio::any_io_executor executor, model::Completion& into, model::AnswerSink* sink,
          Steady::duration heartbeat, RelayRecord* record = nullptr);
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply();

    model::Completion& completion;
    std::string body;  // of a relay without stream
    bool has_more = false;  // the answer has what `completion` does not keep: images, annotations, citations
    std::int64_t cost_of_failed = 0;  // nano-dollars that providers reported for attempts nothing came of

    void dropped(std::vector<std::string> params);
    const std::vector<std::string>& dropped_params() const { return dropped_params_; }
    void from_mock_fallback(bool yes);
    bool is_from_mock_fallback() const { return record_ != nullptr && record_->from_mock_fallback; }
    bool streams() const { return sink_ != nullptr; }
    Steady::time_point began() const { return began_; }
    bool output_started() const { return first_output_at_.has_value(); }
    std::size_t writes() const { return writes_; }
    // Time spent in waits for a provider and in pauses of the gateway's own making, for the overhead metric. Hold one of
    // these over such a wait.
    class Wait {
    public:
        explicit Wait(Reply& owner, Steady::time_point since = Steady::now()) : owner_(owner), since_(since) {}
        Wait(const Wait&) = delete;
        Wait& operator=(const Wait&) = delete;
        ~Wait()
        {
            if (!ended_)
                end();
        }
        // Before its own end; the time of it.
        Steady::time_point end()
        {
            const auto now = Steady::now();
            owner_.upstream_time_ += now - since_;
            ended_ = true;
            return now;
        }

    private:
        Reply& owner_;
        Steady::time_point since_;
        bool ended_ = false;
    };
    Steady::duration upstream_time() const { return upstream_time_; }
    void cache_hit(bool yes);
    // Hears once, at the first output of the attempt that begins now. It outlives the reply.
    void attempt_begins(TargetHealth& health, std::uint64_t began)   // TargetHealth::Era
    {
        silent_ = &health;
        silent_since_ = began;
    }
    const std::optional<Steady::time_point>& first_output_at() const { return first_output_at_; }
    // An error means that the reader has gone. Nothing happens when nobody reads along.
    Task<Result<void>> piece(const model::Piece& piece);
    Task<Result<void>> rendered(std::string_view events);
    Task<Result<void>> rendered_last(std::string events);

    // Ticks from now on, until stop_ticks() or until the reader has gone. stop_ticks(): true when a tick is
    // still being written; it is cancelled, and has to be waited for by quiet() before sink or reply may die.
    void start_ticks();
    bool stop_ticks();
    bool reader_gone() const { return reader_gone_; }
    // That is how it was noticed: nobody cancelled the call.
    bool write_failed() const { return write_failed_; }
    // From now on nothing is written.
    void reader_leaves();
    // Fills a place of the reply's for as long as it lives.
    template <class Held>
    class While {
    public:
        While(Held*& place, Held& held) : place_(place) { place_ = &held; }
        While(const While&) = delete;
        While& operator=(const While&) = delete;
        ~While() { place_ = nullptr; }

    private:
        Held*& place_;
    };
    // While one of these is held, a write that finds the reader gone is no error: `told` hears of it, and the answer goes on
    // unread.
    struct Draining : While<Signal> {
        Draining(Reply& owner, Signal& told) : While(owner.gone_, told) {}
    };
    // Others who wait for the same answer: with one of them an attempt goes on although the reader has left.
    class Others {
    public:
        virtual ~Others() = default;
        virtual bool any() const = 0;
        // `tell` is called each time none is left any more, on whichever thread.
        virtual void when_none(std::function<void()> tell) = 0;
    };
    struct Shared : While<Others> {
        Shared(Reply& owner, Others& others) : While(owner.others_, others) {}
    };
    Others* others() const { return others_; }   // null: the answer is not shared
    // Waits until no tick is being written; none is, nearly always.
    Task<void> quiet();
    bool ticking() const { return ticking_; }

private:
    struct Ticker;
    void arm();
    void look_at_silence();
    void tick_ended(bool written);
    template <class Write>
    Task<Result<void>> write(Write operation);

    model::AnswerSink* sink_;
    Steady::duration heartbeat_;
    RelayRecord* record_;
    std::vector<std::string> dropped_params_;
    const Steady::time_point began_ = Steady::now();
    Steady::time_point next_tick_;
    TargetHealth* silent_ = nullptr;   // of the attempt under way, until its first output
    std::uint64_t silent_since_ = 0;   // its era
    bool ticking_ = false;
    bool writing_ = false;
    bool reader_gone_ = false;
    bool write_failed_ = false;
    Signal* gone_ = nullptr;
    Others* others_ = nullptr;
    std::optional<Steady::time_point> first_output_at_;
    Steady::duration upstream_time_{};
    std::size_t writes_ = 0;
    boost::asio::any_io_executor executor_;
    std::shared_ptr<Ticker> ticker_;  // null: no ticks
    Signal tick_done_;
};

}  // namespace dure::llm
