// For tests of executions whose nodes ask a scripted far side: a server on either database that may reach it.
#pragma once

#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {

class ExecutionsAndFarSide : public testing::TestWithParam<std::string> {
protected:
    ExecutionsAndFarSide() : server(options()), key(server.key()) {}

    ServerProcess::Options options() const
    {
        const auto configuration =
            "[log]\nlevel = \"warn\"\n[executions]\nlease = \"3s\"\n[egress]\nallow = [\"127.0.0.1:" +
            std::to_string(far_side.port()) + "\"]\n";
        if (GetParam() == "postgres")
            return on_postgres(fresh_schema(), configuration);
        return {.configuration = configuration, .environment = {}, .arguments = {}};
    }
    RawAnswer ask(std::string_view method, const std::string& target, const Json& body = Json()) const
    {
        return fetch(server.port(), raw_request(method, target, key, body.is_null() ? "" : body.dump()));
    }

    ScriptedUpstream far_side;
    ServerProcess server;
    const std::string key;
};

}  // namespace dure::test
