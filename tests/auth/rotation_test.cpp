// Rotations of one key at the same time, on PostgreSQL, whose writes run side by side and may share a transaction.
#include <boost/asio/use_future.hpp>
#include <thread>

#include "auth/key_fixture.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/events/journal.hpp"

namespace dure::auth {
namespace rotations {

using namespace std::chrono_literals;

class RotationOnPostgres : public OneKeyFixture {
protected:
    RotationOnPostgres() : OneKeyFixture(test::open_or_throw(test::postgres_options(test::PostgresSchemas::make()))) {}

    std::unique_ptr<events::Bus> bus = events::in_process_bus();
    events::Journal journal{*database, *bus, clock};
    Authenticator authenticator{*database, clock, logger, settings, {}};
    KeyService keys{*database, journal, authenticator, clock};
};

TEST_F(RotationOnPostgres, OfSeveralThatWaitAtTheSameTimeOneSucceeds)
{
    constexpr std::size_t several = 3;
    std::vector<std::future<Result<MadeKey>>> rotations;
    {
        test::HeldWriter writers(*database, 2);
        for (std::size_t i = 0; i < several; ++i)
            rotations.push_back(
                boost::asio::co_spawn(cores.at(0), keys.rotate("u1", "k1", {}, {}), boost::asio::use_future));
        const auto until = Deadline::after(20s);
        while (database->queued() < several && !until.passed())
            std::this_thread::sleep_for(1ms);
        EXPECT_EQ(database->queued(), several);
    }
    std::size_t succeeded = 0;
    for (auto& rotation : rotations) {
        const auto made = rotation.get();
        succeeded += made ? 1 : 0;
        if (!made)
            EXPECT_EQ(made.error().reason(), "key_rotated") << made.error().detail();
    }
    EXPECT_EQ(succeeded, 1u);
}

}  // namespace rotations
}  // namespace dure::auth
