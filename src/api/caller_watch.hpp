// For what lasts longer than a request (streams, sockets): whether the credential that opened it is still good.
#pragma once

#include <chrono>
#include <memory>

#include "api/context.hpp"
#include "api/outage_patience.hpp"
#include "dure/auth/authenticator.hpp"

namespace dure::api {

// Nothing is told to a credential that has ended, and nothing of it is obeyed; where nothing happens, it is looked at every five
// seconds, and an outage of the database ends nothing. Of one stream, on its I/O thread. The context outlives it.
class CallerWatch {
public:
    CallerWatch(auth::Authenticator& authenticator, const RequestContext& context)
        : authenticator_(authenticator), context_(context)
    {}

    // The caller as they are now: of the same user, perhaps with other rights. Null: the credential has ended, or nobody can say
    // whether it has and something happens.
    Task<std::shared_ptr<const auth::Principal>> still_there(bool something_happens)
    {
        if (!something_happens && Steady::now() < next_look_)
            co_return caller_;
        next_look_ = Steady::now() + between_looks;
        auto looked = co_await look();
        if (!looked && !something_happens && OutagePatience::is_outage(looked.error()))
            co_return caller_;
        auto now = looked ? std::move(*looked) : nullptr;
        if (now && now->user_id != context_.principal().user_id)
            now = nullptr;
        caller_ = now;
        co_return now;
    }

    Steady::time_point next_look() const { return next_look_; }

private:
    static constexpr std::chrono::seconds between_looks{5};

    Task<Result<std::shared_ptr<const auth::Principal>>> look()
    {
        const auto shown = context_.credential ? std::optional<std::string_view>(*context_.credential)
                                               : context_.head().header("authorization");
        if (auto known = authenticator_.remembered(shown))
            co_return known;
        auto found = co_await authenticator_.authenticate(shown, context_.head().client_address);
        if (!found)
            co_return found.error();
        co_return std::make_shared<const auth::Principal>(std::move(*found));
    }

    auth::Authenticator& authenticator_;
    const RequestContext& context_;
    std::shared_ptr<const auth::Principal> caller_ = context_.caller;
    Steady::time_point next_look_ = Steady::now() + between_looks;
};

}  // namespace dure::api
