// What the load generator knows: its options, the counters of the measured window, one Conn per connection.
#pragma once

#include <netinet/in.h>
#include <strings.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using std::string;

struct Opt {
    string url, name = "target", cs = "case", method, model, body, expect, body_file;
    std::vector<string> headers, sets;
    int conns = 16;
    double dur = 5, warm = 1, timeout = 30, ramp = 0;
    bool stream = false, json = false, no_done = false, fresh = false;
    int events = -1;  // required number of SSE data events per response (without [DONE])
    std::vector<int> pids, also;  // the measured server; other processes of the harness (for the noise figure)
    uint64_t max_req = 0;
};
inline Opt O;

inline sockaddr_in g_addr;
inline string g_host, g_path;
inline int ep;
inline uint64_t t_begin, t_count, t_end;  // start, start of the counted window, end
inline string g_req;
inline bool g_has_holes = false;  // in the body or a header: each request is built anew
inline string g_bodyt;

inline std::vector<uint32_t> L_ttft, L_total, L_gap;
inline uint64_t n_ok, n_events, n_bytes, n_reconn, n_started, n_all;
inline std::map<string, uint64_t> errs;
inline uint64_t n_err;

enum St { HEAD, BODY_CL, BODY_CLOSE, CH_SIZE, CH_DATA, CH_CRLF, CH_TRAIL };
struct Conn {
    int fd = -1, id = 0;
    bool connecting = false, inflight = false, used = false;
    string out;
    size_t out_pos = 0;
    St st = HEAD;
    string carry, line, body;
    size_t remain = 0;
    bool close_after = false;
    int status = 0;
    uint64_t t0 = 0, tfirst = 0, tlast = 0;
    int events = 0;
    bool done = false;
    uint64_t n = 0;
    uint64_t retry_at = 0;
};
inline std::vector<Conn> conns;

// Fills O; leaves the program on wrong usage.
inline void parse_options(int argc, char** argv) {
    auto usage = [] {
        fprintf(
            stderr,
            "load --url http://127.0.0.1:PORT/path [-c CONNS] [-d SECONDS] [-w WARMUP] [--stream] [--body FILE | "
            "--data TEXT]\n"
            "     [--set key=value ...] [-H 'Name: value' ...] [--method M] [--events N] [--no-done] [--expect TEXT]\n"
            "     [--timeout S] [--ramp S] [--fresh] [--max N] [--pid P1,P2] [--also P3,..] [--name NAME] [--case "
            "CASE] [--json]\n"
            "body and headers: {{key}} is replaced by --set key=value; {{conn}} and {{n}} by the connection and request number,\n"
            "{{n/500}} by a number that is the same for 500 requests of a connection.\n");
        exit(2);
    };
    for (int i = 1; i < argc; ++i) {
        string a = argv[i];
        auto val = [&] {
            if (i + 1 >= argc) usage();
            return string(argv[++i]);
        };
        if (a == "--url") O.url = val();
        else if (a == "-c") O.conns = atoi(val().c_str());
        else if (a == "-d") O.dur = atof(val().c_str());
        else if (a == "-w") O.warm = atof(val().c_str());
        else if (a == "--timeout") O.timeout = atof(val().c_str());
        else if (a == "--ramp") O.ramp = atof(val().c_str());
        else if (a == "--stream") O.stream = true;
        else if (a == "--json") O.json = true;
        else if (a == "--fresh") O.fresh = true;
        else if (a == "--no-done") O.no_done = true;
        else if (a == "--events") O.events = atoi(val().c_str());
        else if (a == "--max") O.max_req = strtoull(val().c_str(), nullptr, 10);
        else if (a == "--method") O.method = val();
        else if (a == "--name") O.name = val();
        else if (a == "--case") O.cs = val();
        else if (a == "--expect") O.expect = val();
        else if (a == "-H") {
            auto h = val();
            if (!h.empty()) O.headers.push_back(h);
        } else if (a == "--set") O.sets.push_back(val());
        else if (a == "--data") O.body = val();
        else if (a == "--body") {
            O.body_file = val();
            std::ifstream f(O.body_file);
            if (!f) {
                fprintf(stderr, "cannot read %s\n", O.body_file.c_str());
                exit(2);
            }
            O.body.assign((std::istreambuf_iterator<char>(f)), {});
            while (!O.body.empty() && O.body.back() == '\n') O.body.pop_back();
        } else if (a == "--pid" || a == "--also") {
            std::stringstream ss(val());
            string x;
            while (std::getline(ss, x, ','))
                if (!x.empty()) (a == "--pid" ? O.pids : O.also).push_back(atoi(x.c_str()));
        } else usage();
    }
    if (O.url.rfind("http://", 0)) usage();
}

inline string subst(string s) {
    for (auto& kv : O.sets) {
        size_t eq = kv.find('=');
        string k = "{{" + kv.substr(0, eq) + "}}", v = kv.substr(eq + 1);
        for (size_t p = 0; (p = s.find(k, p)) != s.npos; p += v.size()) s.replace(p, k.size(), v);
    }
    return s;
}
inline bool has_holes(const string& text) {
    for (const char* hole : {"{{conn}}", "{{n}}", "{{n/500}}"})
        if (text.find(hole) != text.npos) return true;
    return false;
}
inline string build(Conn& c, bool cl) {
    auto filled = [&](string text) {
        auto rep = [&](const char* k, const string& v) {
            size_t kl = strlen(k);
            for (size_t p = 0; (p = text.find(k, p)) != text.npos; p += v.size()) text.replace(p, kl, v);
        };
        rep("{{conn}}", std::to_string(c.id));
        rep("{{n}}", std::to_string(c.n));
        rep("{{n/500}}", std::to_string(c.n / 500));
        return text;
    };
    string body = filled(g_bodyt);
    string h = O.method + " " + g_path + " HTTP/1.1\r\nHost: " + g_host + "\r\n";
    bool acc = false, ct = false;
    for (auto& x : O.headers) {
        if (!strncasecmp(x.c_str(), "accept:", 7)) acc = true;
        if (!strncasecmp(x.c_str(), "content-type:", 13)) ct = true;
        h += filled(x) + "\r\n";
    }
    if (!acc) h += O.stream ? "Accept: text/event-stream\r\n" : "Accept: application/json\r\n";
    if (!body.empty() && !ct) h += "Content-Type: application/json\r\n";
    if (cl) h += "Connection: close\r\n";
    if (!body.empty() || O.method == "POST") h += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return h + "\r\n" + body;
}

}  // namespace bench
