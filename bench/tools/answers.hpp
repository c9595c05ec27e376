// What the mock model server answers: the grammar of its model names, and whole responses built once per model.
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using std::string;
using std::string_view;

inline std::atomic<uint64_t> g_seq{1};

struct Spec {
    int tokens = 64;
    int delay_us = 0, first_us = 0;
    bool each = false, cut = false, hang = false, slow_header = false, tools = false, badjson = false, flaky = false,
         errsse = false;
    int status = 200, rounds = 1;
};
inline bool digits(string_view s) {
    if (s.empty()) return false;
    for (char c : s)
        if (c < '0' || c > '9') return false;
    return true;
}
inline int to_int(string_view s) {
    int v = 0;
    std::from_chars(s.data(), s.data() + s.size(), v);
    return v;
}
inline Spec parse_model(string_view m) {
    Spec s;
    bool has_delay = false;
    size_t i = m.find('-');
    int pos = 0;
    while (i != m.npos) {
        size_t j = m.find('-', i + 1);
        auto t = m.substr(i + 1, (j == m.npos ? m.size() : j) - i - 1);
        if (digits(t)) {
            int n = to_int(t);
            if (pos == 0 &&
                (n == 400 || n == 401 || n == 404 || n == 429 || n == 500 || n == 502 || n == 503 || n == 529))
                s.status = n;
            else if (s.tools) s.rounds = n;
            else s.tokens = std::min(n, 100000);
        } else if (t.size() > 2 && t.substr(t.size() - 2) == "ms" && digits(t.substr(0, t.size() - 2))) {
            s.delay_us = to_int(t.substr(0, t.size() - 2)) * 1000;
            has_delay = true;
        } else if (t.size() > 2 && t.substr(t.size() - 2) == "us" && digits(t.substr(0, t.size() - 2))) {
            s.delay_us = to_int(t.substr(0, t.size() - 2));
            has_delay = true;
        } else if (t.size() > 1 && t[0] == 't' && digits(t.substr(1))) s.first_us = to_int(t.substr(1)) * 1000;
        else if (t.size() > 1 && t[0] == 'n' && digits(t.substr(1))) s.tokens = std::min(to_int(t.substr(1)), 100000);
        else if (t == "each") s.each = true;
        else if (t == "cut") s.cut = true;
        else if (t == "hang") s.hang = true;
        else if (t == "tools") s.tools = true;
        else if (t == "badjson") s.badjson = true;
        else if (t == "flaky") s.flaky = true;
        else if (t == "errsse") s.errsse = true;
        else if (t == "slow") s.slow_header = true;
        ++pos;
        i = j;
    }
    if (s.slow_header) {
        s.first_us = has_delay ? s.delay_us : 3000000;
        s.delay_us = 0;
    }
    return s;
}

// ---------------------------------------------------------------- templates
inline const char* const WORDS[] = {" the", " server", " streams", " each",  " token", " as",    " an", " event",
                                    " and", " the",    " graph",   " keeps", " its",   " state", " in", " order"};
inline constexpr char ID0[] = "0000000000000000";  // patched with a unique 16-digit hex number
struct Tmpl {
    string data;                  // complete response, headers included
    std::vector<uint32_t> idpos;  // where the 16 id digits stand
    std::vector<uint32_t> ends;   // end offset of each separately sendable piece
};
inline void find_ids(Tmpl& t) {
    size_t p = 0;
    while ((p = t.data.find("chatcmpl-0000000000000000", p)) != string::npos) {
        t.idpos.push_back(p + 9);
        p += 25;
    }
}
inline void patch(string& d, const std::vector<uint32_t>& pos) {
    uint64_t n = g_seq.fetch_add(1, std::memory_order_relaxed);
    char hex[17];
    for (int i = 15; i >= 0; --i) {
        hex[i] = "0123456789abcdef"[n & 15];
        n >>= 4;
    }
    for (auto p : pos) memcpy(&d[p], hex, 16);
}
inline const char* reason(int s) {
    switch (s) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 529: return "Overloaded";
    }
    return "Error";
}
inline string http(int status, string_view body, string_view extra = {}, string_view ctype = "application/json") {
    string h = "HTTP/1.1 " + std::to_string(status) + " " + reason(status) + "\r\nContent-Type: ";
    h += ctype;
    h += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    h += "x-request-id: req_mock\r\n";
    h += extra;
    h += "\r\n";
    h += body;
    return h;
}
inline string content_of(int n) {
    string s = "Sure:";
    for (int i = 1; i < n; ++i) s += WORDS[i % 16];
    if (n > 1) s += ".";
    return s;
}
inline string usage_of(int n) {
    return "\"usage\":{\"prompt_tokens\":42,\"completion_tokens\":" + std::to_string(n) +
           ",\"total_tokens\":" + std::to_string(42 + n) +
           ",\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}";
}
enum Kind { PLAIN, STREAM, TOOLCALL, TOOLCALL_STREAM, TOOLTEXT, TOOLTEXT_STREAM };
inline const char* const ARGS = "{\\\"expression\\\":\\\"6*7\\\"}";

inline Tmpl build(Kind kind, const string& model, const Spec& sp, bool chunked) {
    Tmpl t;
    const string created = "1732147200";
    bool stream = kind == STREAM || kind == TOOLCALL_STREAM || kind == TOOLTEXT_STREAM;
    if (!stream) {
        string msg, fin = "stop";
        int n = sp.tokens;
        if (kind == TOOLCALL) {
            msg = string("{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_"
                         "mock_1\",\"type\":\"function\","
                         "\"function\":{\"name\":\"calculator\",\"arguments\":\"") +
                  ARGS + "\"}}]}";
            fin = "tool_calls";
            n = 12;
        } else if (kind == TOOLTEXT) {
            msg = "{\"role\":\"assistant\",\"content\":\"The result is 42.\",\"refusal\":null}";
            n = 6;
        } else msg = "{\"role\":\"assistant\",\"content\":\"" + content_of(n) + "\",\"refusal\":null}";
        string body = string("{\"id\":\"chatcmpl-") + ID0 + "\",\"object\":\"chat.completion\",\"created\":" + created +
                      ",\"model\":\"" + model + "\",\"choices\":[{\"index\":0,\"message\":" + msg +
                      ",\"logprobs\":null,\"finish_reason\":\"" + fin + "\"}]," + usage_of(n) +
                      ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\"}";
        if (sp.badjson) body = body.substr(0, body.size() / 2);
        t.data = http(200, body);
        t.ends.push_back(t.data.size());
        find_ids(t);
        return t;
    }
    t.data = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: "
             "no-cache\r\nx-request-id: req_mock\r\n";
    t.data += chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n";
    auto ev = [&](const string& payload) {
        string d = "data: " + payload + "\n\n";
        if (chunked) {
            char b[16];
            snprintf(b, sizeof b, "%zx\r\n", d.size());
            t.data += b;
            t.data += d;
            t.data += "\r\n";
        } else t.data += d;
    };
    auto mark = [&] { t.ends.push_back(t.data.size()); };
    string head = string("{\"id\":\"chatcmpl-") + ID0 +
                  "\",\"object\":\"chat.completion.chunk\",\"created\":" + created + ",\"model\":\"" + model +
                  "\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\",\"choices\":[";
    auto delta = [&](const string& d, const char* fin) {
        ev(head + "{\"index\":0,\"delta\":" + d +
           ",\"logprobs\":null,\"finish_reason\":" + (fin ? string("\"") + fin + "\"" : "null") + "}]}");
    };
    int n = sp.tokens;
    if (kind == TOOLCALL_STREAM) {
        n = 12;
        delta("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"call_mock_1\",\"type\":"
              "\"function\",\"function\":{\"name\":\"calculator\",\"arguments\":\"\"}}]}",
              nullptr);
        mark();
        for (const char* part : {"{\\\"", "expression", "\\\":\\\"", "6*7", "\\\"}"}) {
            delta(string("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"") + part + "\"}}]}", nullptr);
            mark();
        }
        delta("{}", "tool_calls");
    } else {
        delta("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", nullptr);
        mark();
        if (kind == TOOLTEXT_STREAM) {
            n = 6;
            for (const char* w : {"The", " result", " is", " ", "42", "."}) {
                delta(string("{\"content\":\"") + w + "\"}", nullptr);
                mark();
            }
        } else
            for (int i = 0; i < n; ++i) {
                if (sp.errsse && i == n / 2) {
                    ev("{\"error\":{\"message\":\"mock mid-stream "
                       "failure\",\"type\":\"server_error\",\"code\":\"mock_midstream\"}}");
                    if (chunked) t.data += "0\r\n\r\n";
                    mark();
                    find_ids(t);
                    return t;
                }
                delta(string("{\"content\":\"") + (i ? WORDS[i % 16] : "Sure:") + "\"}", nullptr);
                mark();
            }
        delta("{}", "stop");
    }
    ev(head + "]," + usage_of(n) + "}");
    ev("[DONE]");
    if (chunked) t.data += "0\r\n\r\n";
    t.ends.back() = t.data.size();  // the end is sent with the last token
    find_ids(t);
    return t;
}

}  // namespace bench
