// What becomes of the fields of an embedding request that are not ours, and what its answer says of the way it took.
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace embedding_fields {

class FieldsOfEmbeddings : public UpstreamCases {};

TEST_F(FieldsOfEmbeddings, WhatAClientSetsBesideItsTextsGoesOutWithEachPartOfThem)
{
    settings.models.embeddings = "gpt";
    upstream.handle([](const RecordedRequest& sent) {
        Json answer = {{"data", Json::array()}};
        for (std::size_t i = 0; i < Json::parse(sent.body)["input"].size(); ++i)
            answer["data"].push_back({{"index", i}, {"embedding", {0.5}}});
        return Script{send(http_answer(200, "application/json", answer.dump()))};
    });
    EmbeddingRequest request;
    request.model = "gpt";
    request.input.assign(300, "a");
    request.dimensions = 1;
    request.extra = {{"user", "\"u\""}, {"n\"w", R"({"big":123456789012345678901234567890, "exact":1.0})"}};
    on_core([&]() -> Task<void> {
        const auto answer = co_await gateway().embed(request, context());
        EXPECT_TRUE(answer.has_value());
        if (!answer)
            co_return;
        EXPECT_EQ(answer->answered_by, "up/upstream-gpt");
        EXPECT_EQ(answer->attempts, 1) << "two requests are parts of one";
    });
    ASSERT_EQ(upstream.request_count(), 2);
    for (const std::size_t part : {0u, 1u}) {
        const auto body = upstream.requests().at(part).body;
        EXPECT_THAT(body, HasSubstr(R"("dimensions":1,"encoding_format":"float","user":"u",)"
                                    R"("n\"w":{"big":123456789012345678901234567890, "exact":1.0}})"));
        EXPECT_EQ(Json::parse(body)["model"], "upstream-gpt");
    }
}

TEST_F(FieldsOfEmbeddings, AListIsSplitAsItsProviderTakesIt)
{
    settings.models.embeddings = "gpt";
    settings.model.at(0).embedding_batch = 2;
    upstream.handle([](const RecordedRequest& sent) {
        Json answer = {{"data", Json::array()}};
        const auto texts = Json::parse(sent.body)["input"];
        for (std::size_t i = 0; i < texts.size(); ++i)
            answer["data"].push_back({{"index", i}, {"embedding", {std::stof(texts[i].get<std::string>())}}});
        return Script{send(http_answer(200, "application/json", answer.dump()))};
    });
    EmbeddingRequest request;
    request.model = "gpt";
    request.input = {"1", "2", "3", "4", "5"};
    on_core([&]() -> Task<void> {
        const auto answer = co_await gateway().embed(request, context());
        EXPECT_TRUE(answer.has_value());
        if (answer)
            EXPECT_EQ(answer->vectors, (std::vector<std::vector<float>>{{1}, {2}, {3}, {4}, {5}}));
    });
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(FieldsOfEmbeddings, AFieldOfEmbeddingsThatTheProviderRefusesIsLeftOutTheSecondTime)
{
    settings.models.embeddings = "gpt";
    upstream.enqueue(error_script(400, "Unsupported parameter: 'user' is not supported with this model.",
                                  "invalid_request_error", "unsupported_parameter"));
    const Json body = {{"data", {{{"index", 0}, {"embedding", {0.5}}}}}};
    upstream.enqueue({send(http_answer(200, "application/json", body.dump()))});
    EmbeddingRequest request;
    request.model = "gpt";
    request.input = {"a"};
    request.extra = {{"user", "\"u\""}, {"other", "1"}};
    on_core([&]() -> Task<void> {
        const auto answer = co_await gateway().embed(request, context());
        EXPECT_TRUE(answer.has_value());
        EXPECT_EQ(answer ? answer->attempts : 0, 2);
    });
    const auto sent = Json::parse(upstream.requests().at(1).body);
    EXPECT_FALSE(sent.contains("user"));
    EXPECT_EQ(sent.value("other", 0), 1);
}

}  // namespace embedding_fields
}  // namespace dure::llm::test
