// MemoryCheckpointer: the conformance suite, and that values are shared.
#include "dure/graph/memory_checkpointer.hpp"

#include "support/checkpointer_conformance.hpp"

namespace dure::graph {

INSTANTIATE_TEST_SUITE_P(Memory, CheckpointerConformance,
                         testing::Values(CheckpointerCase{"memory",
                                                          [] {
                                                              CheckpointerUnderTest made;
                                                              made.checkpointer =
                                                                  std::make_unique<MemoryCheckpointer>();
                                                              return made;
                                                          }}),
                         case_name);

TEST(MemoryCheckpointer, SharesValuesInsteadOfCopyingThem)
{
    MemoryCheckpointer keeper;
    const auto value = shared(Json::array({1, 2, 3}));
    ChannelWrite write;
    write.channel = "log";
    write.data = value;
    Checkpoint checkpoint = CheckpointMaker("c1");
    checkpoint.versions["log"] = "c1";
    checkpoint.writes.push_back(std::move(write));
    dure::test::run([&]() -> Task<void> {
        Batch batch;
        batch.checkpoints.push_back(std::move(checkpoint));
        EXPECT_TRUE(co_await keeper.save("t", std::move(batch)));
        const auto found = co_await keeper.load("t", "", "", false);
        EXPECT_EQ((*found)->channels.at("log").whole, value);
    });
}

}  // namespace dure::graph
