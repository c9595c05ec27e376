// GET /v1/models: models that make embeddings are named too, hidden from choosers of chats, and no chat is answered by one.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace model_list {

class ModelList : public testing::Test {
protected:
    RawAnswer send(const std::string& method, const std::string& path, const Json& body = Json()) const
    {
        return fetch(server.port(), raw_request(method, path, server.key(), body.is_null() ? "" : body.dump()));
    }

    const ServerProcess server{{.configuration = "[[model]]\nid = \"vectors\"\nkind = \"embedding\"\n"
                                                 "targets = [\"mock/local\"]\n"}};
};

TEST_F(ModelList, NamesTheModelsThatMakeEmbeddingsLastAndHidden)
{
    std::vector<std::string> ids;
    std::vector<std::string> hidden;
    const auto list = send("GET", "/v1/models").json();
    for (const auto& entry : list.at("data")) {
        ids.push_back(entry.at("id").get<std::string>());
        if (entry.at("info").at("meta").value("hidden", false))
            hidden.push_back(ids.back());
    }
    EXPECT_EQ(ids, (std::vector<std::string>{"coe-agent-v1", "mock", "vectors", "local"}));
    EXPECT_EQ(hidden, (std::vector<std::string>{"vectors", "local"}));
    const auto one = send("GET", "/v1/models/vectors");
    EXPECT_EQ(one.status, 200) << one.body;
    EXPECT_EQ(one.json(), list.at("data").at(2));
}

TEST_F(ModelList, AModelThatMakesEmbeddingsAnswersNoChat)
{
    const Json hello = Json::array({{{"role", "user"}, {"content", "hello"}}});
    const auto chat = send("POST", "/v1/chat/completions", {{"model", "vectors"}, {"messages", hello}});
    EXPECT_EQ(chat.status, 404) << chat.body;
    EXPECT_EQ(chat.json().at("error").at("code"), "model_not_found");
    EXPECT_EQ(chat.json().at("error").at("param"), "model");
    EXPECT_EQ(chat.json().at("error").at("message"), "The model `vectors` makes embeddings; one cannot chat with it.");
    EXPECT_EQ(send("POST", "/api/chat/session", {{"model", "vectors"}}).status, 404);
    EXPECT_EQ(send("POST", "/api/chat/message", {{"model", "vectors"}, {"message", "hello"}}).status, 404);
    const auto embedded = send("POST", "/v1/embeddings", {{"model", "vectors"}, {"input", "hello"}});
    EXPECT_EQ(embedded.status, 200) << embedded.body;
}

}  // namespace model_list
}  // namespace dure::test
