// What an `http` node sends, from its config, and the secrets in it: they go into the request and nowhere else.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "dure/http/fetch.hpp"
#include "nodes/config_reader.hpp"
#include "nodes/state.hpp"

namespace dure::nodes {

struct HttpPlan {
    http::FetchRequest request;
    std::vector<std::string> secrets;   // values that were put in, longest first; never shown
    std::set<std::string> secret_names;   // of these values
};

// method, url, headers, query, auth, body, max_bytes. invalid_argument names the field, never its value.
//   auth   {type: none} · {type: bearer, secret} · {type: basic, username, secret} · {type: api_key, name, secret, in: header|query}
//          secret: "{{secrets.name}}", or the name of a secret; never the secret itself.
//   body   {type: none} · {type: json, value} · {type: text, value, content_type?} · {type: form, fields} · {type: multipart, fields}
//          `data` is read for value and fields too. A text under json that is an object or list in JSON is sent as it is.
Result<HttpPlan> read_http_plan(flows::NodeCall& call, flows::NodeServices& services);

}  // namespace dure::nodes
