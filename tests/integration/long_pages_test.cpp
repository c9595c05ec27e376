// Pages of what is very long, over HTTP on both databases: they end by their bytes, and what they go on with loses and repeats nothing.
#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace long_pages {

constexpr std::size_t mebibyte = 1 << 20;

class LongPages : public EventsOnTheWire {
protected:
    RawAnswer send(const std::string& method, const std::string& target, const Json& body,
                   const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, target, admin.token, body.dump(), fields));
    }
};

TEST_P(LongPages, TheEventsOfALargeFlowAreReadByTheirNextVersion)
{
    Json flow{{"name", "large"},
              {"nodes", Json::array()},
              {"edges", Json::array()},
              {"kept", std::string(3 * mebibyte, 'x')}};
    const auto made = send("POST", "/api/agent-builder/chatflows", flow);
    ASSERT_EQ(made.status, 201) << made.body.substr(0, 300);
    const auto id = made.json().at("id").get<std::string>();
    for (int i = 2; i <= 4; ++i) {
        flow["description"] = "save " + std::to_string(i);
        const auto saved = send("PUT", "/api/agent-builder/flows/" + id, flow);
        ASSERT_EQ(saved.status, 200) << saved.body.substr(0, 300);
    }
    std::vector<std::int64_t> versions;
    int pages = 0;
    for (Json next = 1; !next.is_null(); ++pages) {
        const auto page =
            ask(admin, "/api/events/aggregate/" + id + "?aggregate_type=Workflow&limit=100&from_version=" +
                           std::to_string(next.get<std::int64_t>()));
        ASSERT_EQ(page.status, 200) << page.body.substr(0, 300);
        const auto body = page.json();
        for (const auto& event : body.at("events"))
            versions.push_back(event.at("version").get<std::int64_t>());
        next = body.at("next");
    }
    EXPECT_EQ(versions, (std::vector<std::int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(pages, 2);
    const auto replayed = ask(admin, "/api/events/replay/" + id).json();
    EXPECT_EQ(replayed.at("version"), 4);
    EXPECT_EQ(replayed.at("state").at("description"), "save 4");
}

INSTANTIATE_TEST_SUITE_P(Databases, LongPages, testing::Values("sqlite", "postgres"),
                         [](const auto& one) { return one.param; });

}  // namespace long_pages
}  // namespace dure::test
