// What the example flows talk to: a model server and a far side of HTTP, both scripted by rules of a case file.
//
//   ExampleWorld world;
//   world.expect(run);            // run["model"], run["http"]
//   ... the flow runs ...
//   EXPECT_EQ(world.problems(), "");   // everything expected was asked, nothing else, all of it as expected
//
// A rule of `model`: {"asks": "the last message", "messages": [["user", "…"], …] (all but the system's), "has": ["part", …],
//   "offers": ["tool", …], "says": "…", "calls": [["calculator", {…}]], "status": 503, "times": 1}. Each call takes the first rule
//   that fits and is not used up. run["together"]: so many calls must be open at once before one is answered, and never more.
// A rule of `http`: {"request": "GET /x", "headers": {…}, "body": any, "answers": [[status, body], …]}, one answer per request.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

#include "support/openai_script.hpp"

namespace dure::test {

class ExampleModel {
public:
    ExampleModel()
    {
        server_.handle([this](const RecordedRequest& request) { return answer(Json::parse(request.body)); });
    }
    std::string base() const { return server_.base(); }

    void expect(const Json& rules, std::optional<int> together)
    {
        const std::lock_guard lock(guard_);
        rules_.clear();
        problems_.clear();
        together_ = together;
        left_ = open_ = served_ = most_open_ = 0;
        for (const auto& rule : rules) {
            rules_.push_back({rule, rule.value("times", 1)});
            left_ += rules_.back().left;
        }
    }
    std::string problems() const
    {
        const std::lock_guard lock(guard_);
        auto text = problems_;
        for (const auto& rule : rules_)
            if (rule.left > 0)
                text += "not asked " + std::to_string(rule.left) + " times: " + rule.given.dump() + "\n";
        if (together_ && most_open_ != *together_)
            text += "open at once: " + std::to_string(most_open_) + "\n";
        return text;
    }

private:
    struct Rule {
        Json given;
        int left;
    };

    static std::string system_of(const Json& request)
    {
        const auto& first = request.at("messages").at(0);
        return first.at("role") == "system" ? first.at("content").get<std::string>() : std::string();
    }
    static Json conversation_of(const Json& request)
    {
        auto all = Json::array();
        for (const auto& message : request.at("messages"))
            if (message.at("role") != "system")
                all.push_back({message.at("role"), message.at("content")});
        return all;
    }
    static Json tools_of(const Json& request)
    {
        auto names = Json::array();
        for (const auto& tool : request.value("tools", Json::array()))
            names.push_back(tool.at("function").at("name"));
        return names;
    }
    static bool fits(const Json& rule, const Json& request)
    {
        const auto& last = request.at("messages").back().at("content");
        std::string everything = system_of(request);
        for (const auto& one : conversation_of(request))
            everything += "\n" + (one.at(1).is_string() ? one.at(1).get<std::string>() : one.at(1).dump());
        const auto parts = rule.value("has", Json::array());
        return (!rule.contains("asks") || rule.at("asks") == last) &&
               (!rule.contains("messages") || rule.at("messages") == conversation_of(request)) &&
               (!rule.contains("offers") || rule.at("offers") == tools_of(request)) &&
               std::all_of(parts.begin(), parts.end(), [&](const Json& part) {
                   return everything.find(part.get<std::string>()) != std::string::npos;
               });
    }

    // Runs on the thread of the connection, so waiting for the others of a wave holds up nobody.
    Script answer(const Json& request)
    {
        std::unique_lock lock(guard_);
        const auto rule = std::find_if(rules_.begin(), rules_.end(),
                                       [&](const Rule& one) { return one.left > 0 && fits(one.given, request); });
        if (rule == rules_.end()) {
            problems_ += "not expected: " + request.at("messages").dump() + " tools " + tools_of(request).dump() + "\n";
            return error_script(400, "not expected", "invalid_request_error");
        }
        --rule->left;
        --left_;
        most_open_ = std::max(most_open_, ++open_);
        changed_.notify_all();
        const auto wave = together_.value_or(1);
        const auto wave_is_whole = [&] { return open_ >= wave || left_ == 0 || served_ % wave != 0; };
        if (!changed_.wait_for(lock, std::chrono::seconds(20), wave_is_whole))
            problems_ += "only " + std::to_string(open_) + " calls came at once\n";
        --open_;
        ++served_;
        changed_.notify_all();
        return script_of(rule->given, request.value("stream", false));
    }

    static Script script_of(const Json& rule, bool streamed)
    {
        if (const auto status = rule.value("status", 200); status != 200)
            return error_script(status, "scripted", status < 500 ? "invalid_request_error" : "server_error");
        const auto text = rule.value("says", std::string());
        auto calls = Json::array();
        for (const auto& call : rule.value("calls", Json::array())) {
            const auto index = static_cast<int>(calls.size());
            calls.push_back(tool_call_json(index, "call_" + std::to_string(index), call.at(0).get<std::string>(),
                                           call.at(1).dump()));
        }
        const auto* finish = calls.empty() ? "stop" : "tool_calls";
        if (!streamed)
            return {send(http_answer(
                200, "application/json",
                completion_body(text, finish, calls.empty() ? Json::object() : Json{{"tool_calls", calls}})))};
        if (calls.empty())
            return text_stream_script(text);
        std::vector<std::string> events{role_chunk()};
        for (const auto& call : calls)
            events.push_back(tool_chunk(call));
        events.push_back(finish_chunk(finish));
        events.push_back(usage_chunk());
        return stream_script(events);
    }

    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::vector<Rule> rules_;
    std::optional<int> together_;
    int left_ = 0, open_ = 0, served_ = 0, most_open_ = 0;
    std::string problems_;
    ScriptedUpstream server_;  // last: its threads use the others
};

class ExampleFarSide {
public:
    ExampleFarSide()
    {
        server_.handle([this](const RecordedRequest& request) { return answer(request); });
    }
    std::string base() const { return server_.base(); }
    std::uint16_t port() const { return server_.port(); }

    void expect(const Json& rules)
    {
        const std::lock_guard lock(guard_);
        rules_ = rules;
        keys_.clear();
        problems_.clear();
    }
    std::string problems() const
    {
        const std::lock_guard lock(guard_);
        auto text = problems_;
        for (const auto& rule : rules_)
            if (!rule.at("answers").empty())
                text += "not asked: " + rule.dump() + "\n";
        return text;
    }

private:
    Script answer(const RecordedRequest& request)
    {
        const std::lock_guard lock(guard_);
        const auto line = request.method + " " + request.target;
        for (auto& rule : rules_) {
            if (rule.at("request") != Json(line) || rule.at("answers").empty())
                continue;
            check(rule, request, line);
            const auto given = rule.at("answers").at(0);
            rule.at("answers").erase(0);
            return {send(http_answer(given.at(0).get<int>(), "application/json", given.at(1).dump()))};
        }
        problems_ += "not expected: " + line + "\n";
        return {send(http_answer(404, "application/json", "{}"))};
    }

    // Repeats carry the key of the first attempt.
    void check(const Json& rule, const RecordedRequest& request, const std::string& line)
    {
        const auto headers = rule.value("headers", Json::object());
        for (const auto& [name, value] : headers.items())
            if (Json(request.header(name)) != value)
                problems_ += line + " has " + name + ": " + request.header(name) + "\n";
        if (rule.contains("body") && Json::parse(request.body, nullptr, false) != rule.at("body"))
            problems_ += line + " has the body " + request.body + "\n";
        const auto key = request.header("idempotency-key");
        const auto [first, is_new] = keys_.emplace(line, key);
        if (key.empty() || first->second != key)
            problems_ += line + " has the Idempotency-Key '" + key + "' after '" + first->second + "'\n";
    }

    mutable std::mutex guard_;
    Json rules_ = Json::array();
    std::map<std::string, std::string> keys_;
    std::string problems_;
    ScriptedUpstream server_;
};

struct ExampleWorld {
    ExampleModel model;
    ExampleFarSide far_side;

    void expect(const Json& run)
    {
        model.expect(run.value("model", Json::array()),
                     run.contains("together") ? std::optional(run.at("together").get<int>()) : std::nullopt);
        far_side.expect(run.value("http", Json::array()));
    }
    std::string problems() const { return model.problems() + far_side.problems(); }
};

}  // namespace dure::test
