// What the cases of llm-upstreams §9 share: the models "gpt" behind scripted providers, and how a broken answer is told.
#pragma once

#include <gmock/gmock.h>

#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

using namespace dure::test;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

inline const std::string case_stream =
    R"({"model":"gpt","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":5})";
inline const std::string case_whole = R"({"model":"gpt","messages":[{"role":"user","content":"hi"}]})";

// Models "gpt" (one target, `up`) and, after chain(), `up` then `other`.
class UpstreamCases : public GatewayTest {
protected:
    UpstreamCases() { add_upstream(upstream.base()); }
    void chain() { add_upstream(other.base(), "other"); }
    config::ProviderTimeouts& timeouts() { return settings.providers.at(0).timeouts; }
    Result<void> stream_now()
    {
        record = {};
        return relay("gpt", case_stream, true, true, sink, record);
    }
    Result<void> whole_now()
    {
        record = {};
        return relay("gpt", case_whole, false, false, sink, record);
    }
    void always(const Script& script)
    {
        upstream.handle([script](const RecordedRequest&) { return script; });
    }
    void expect_error(const Result<void>& result, Errc code, const std::string& reason)
    {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code(), code) << result.error().reason();
        EXPECT_EQ(result.error().reason(), reason);
        EXPECT_FALSE(record.output_started);
    }
    void expect_broken_after_part(const Script& behind_output, const std::string& reason)
    {
        Script script{send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part")))};
        script.insert(script.end(), behind_output.begin(), behind_output.end());
        upstream.enqueue(script);
        const auto result = stream_now();
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().reason(), reason);
        EXPECT_TRUE(record.output_started);
        EXPECT_EQ(record.completion.text, "part");
        EXPECT_TRUE(record.completion.usage.estimated);
        EXPECT_GT(record.completion.usage.prompt_tokens, 0);
        EXPECT_EQ(upstream.request_count(), 1);
        EXPECT_THAT(sink.bytes, Not(HasSubstr("[DONE]")));
    }

    ScriptedUpstream upstream;
    ScriptedUpstream other;
    KeepingSink sink;
    RelayRecord record;
};

inline Script limited(const Fields& fields = {}, const Json& code = nullptr)
{
    return error_script(429, "slow down", "rate_limit_error", code, fields);
}

}  // namespace dure::llm::test
