// upstream: a fast mock OpenAI-compatible model server for benchmarks. Plain epoll, no dependencies.
// The model's name says what it does: bench/README.md.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <queue>
#include <thread>
#include <unordered_map>

#include "answers.hpp"
#include "json_scan.hpp"

using namespace bench;

static uint64_t now_us() {
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return uint64_t(ts.tv_sec) * 1000000u + ts.tv_nsec / 1000;
}

static string g_key;  // if set, Authorization must be "Bearer <key>"
static std::atomic<uint64_t> g_req{0}, g_stream{0}, g_accept{0}, g_aborted{0};
static std::atomic<int64_t> g_open{0}, g_active_streams{0};

struct Conn {
    int fd = -1;
    uint32_t gen = 0;
    bool busy = false, close_after = false, want_out = false, reset = false, cut = false;
    string in, out;
    size_t out_pos = 0;
  // paced stream
    string sdata;
    std::vector<uint32_t> sends;
    size_t snext = 0;
    uint64_t due = 0;
    int delay_us = 0;
    bool streaming = false;
};
struct Timer {
    uint64_t t;
    Conn* c;
    uint32_t gen;
    bool operator<(const Timer& o) const { return t > o.t; }
};

struct Worker {
    int ep = -1, lfd = -1;
    std::priority_queue<Timer> timers;
    std::unordered_map<string, std::unique_ptr<Tmpl>> cache;
    std::unordered_map<string, Spec> specs;
    std::vector<Conn*> freelist, dead;
    char buf[65536];

    void arm(Conn* c, uint64_t t) { timers.push({t, c, c->gen}); }
    void closec(Conn* c) {
        if (c->fd < 0) return;
        if (c->reset) {
            linger l{1, 0};
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        }
        if (c->streaming) {
            g_active_streams--;
            if (c->snext < c->sends.size() && !c->cut) g_aborted++;
        }
        close(c->fd);
        g_open--;
        uint32_t g = c->gen + 1;
        *c = Conn{};
        c->gen = g;
        dead.push_back(c);
    }
    void mod(Conn* c, bool out) {
        if (c->want_out == out) return;
        c->want_out = out;
        epoll_event e{};
        e.events = uint32_t(EPOLLIN | EPOLLRDHUP) | (out ? uint32_t(EPOLLOUT) : 0u);
        e.data.ptr = c;
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    }
  // false: the connection is gone
    bool flush(Conn* c) {
        while (c->out_pos < c->out.size()) {
            ssize_t n = send(c->fd, c->out.data() + c->out_pos, c->out.size() - c->out_pos, MSG_NOSIGNAL);
            if (n < 0) {
                if (errno == EINTR) continue;
                if (errno == EAGAIN) {
                    mod(c, true);
                    return true;
                }
                closec(c);
                return false;
            }
            c->out_pos += n;
        }
        c->out.clear();
        c->out_pos = 0;
        mod(c, false);
        if (!c->streaming && c->busy) {
            c->busy = false;
            if (c->close_after) {
                closec(c);
                return false;
            }
        }
        return true;
    }
    bool reply(Conn* c, string s) {
        c->busy = true;
        if (c->out.empty()) c->out = std::move(s);
        else c->out += s;
        return flush(c);
    }
    bool step(Conn* c) {  // send the next piece of a paced (or delayed) response
        size_t from = c->snext ? c->sends[c->snext - 1] : 0;
        c->out.append(c->sdata, from, c->sends[c->snext] - from);
        ++c->snext;
        if (c->snext == c->sends.size()) {
            c->streaming = false;
            g_active_streams--;
            if (c->cut) { c->close_after = true; }
            bool ok = flush(c);
            return ok;
        }
        c->due += c->delay_us;
        arm(c, c->due);
        return flush(c);
    }
    const Tmpl& tmpl(Kind k, const string& model, const Spec& sp, bool chunked) {
        string key = model;
        key += char('0' + k);
        key += chunked ? 'c' : 'p';
        auto it = cache.find(key);
        if (it != cache.end()) return *it->second;
        if (cache.size() > 256) cache.clear();
        return *cache.emplace(key, std::make_unique<Tmpl>(build(k, model, sp, chunked))).first->second;
    }
    bool error(Conn* c, int status, const char* msg, const char* type, const char* extra = "") {
        string b =
            string("{\"error\":{\"message\":\"") + msg + "\",\"type\":\"" + type + "\",\"param\":null,\"code\":null}}";
        return reply(c, http(status, b, extra));
    }

    bool chat(Conn* c, string_view body, bool http11) {
        string model, last_role;
        bool stream = false, tools = false, have_msgs = false;
        int tool_msgs = 0;
        bool ok = each_member(body, [&](string_view k, string_view v) {
            if (k == "model") model = unq(v);
            else if (k == "stream") stream = v == "true";
            else if (k == "tools") tools = v.size() > 2;
            else if (k == "messages") {
                have_msgs = true;
                if (model.rfind("mock-tools", 0) == 0 || model.empty())
                    each_item(v, [&](string_view m) {
                        each_member(m, [&](string_view mk, string_view mv) {
                            if (mk == "role") {
                                last_role = unq(mv);
                                if (last_role == "user") tool_msgs = 0;
                                if (last_role == "tool") ++tool_msgs;
                            }
                        });
                    });
            }
        });
        if (!ok) return error(c, 400, "We could not parse the JSON body of your request.", "invalid_request_error");
        if (!have_msgs) return error(c, 400, "Missing required parameter: 'messages'.", "invalid_request_error");
        auto sit = specs.find(model);
        if (sit == specs.end()) {
            if (specs.size() > 256) specs.clear();
            sit = specs.emplace(model, parse_model(model)).first;
        }
        const Spec sp = sit->second;
        if (sp.hang) {
            c->busy = true;
            return true;
        }
        if (sp.status != 200)
            return error(c, sp.status, "mock failure", sp.status == 429 ? "rate_limit_exceeded" : "server_error",
                         sp.status == 429 ? "Retry-After: 1\r\n" : "");
        if (sp.flaky && (g_seq.fetch_add(1) & 1)) return error(c, 500, "mock flaky failure", "server_error");
        Kind k = stream ? STREAM : PLAIN;
        if (sp.tools) {
            bool call = tools && tool_msgs < sp.rounds && (last_role == "user" || last_role == "tool");
            k = call ? (stream ? TOOLCALL_STREAM : TOOLCALL) : (stream ? TOOLTEXT_STREAM : TOOLTEXT);
        }
        const Tmpl& t = tmpl(k, model, sp, http11);
        if (stream) g_stream.fetch_add(1, std::memory_order_relaxed);
        if (stream && !http11) c->close_after = true;
        bool paced = stream && (sp.delay_us || sp.each);
        uint64_t wait = sp.first_us + (stream ? 0 : uint64_t(sp.delay_us) * sp.tokens);
        if (!paced && !wait && !sp.cut) {  // fast path
            string d = t.data;
            patch(d, t.idpos);
            return reply(c, std::move(d));
        }
        c->busy = true;
        c->streaming = true;
        g_active_streams++;
        c->sdata = t.data;
        patch(c->sdata, t.idpos);
        c->sends = t.ends;
        c->snext = 0;
        c->delay_us = sp.delay_us;
        c->cut = sp.cut;
        if (!paced && !sp.cut) c->sends = {uint32_t(c->sdata.size())};
        if (sp.cut) {  // half of the pieces, then close
            if (stream) c->sends.resize(std::max<size_t>(1, c->sends.size() / 2));
            else c->sends = {uint32_t(c->sdata.size() - 100)};
        }
        c->due = now_us() + wait;
        if (wait) {
            arm(c, c->due);
            return true;
        }
        if (sp.each && !sp.delay_us) {
            while (c->fd >= 0 && c->streaming && c->snext < c->sends.size()) {
                size_t from = c->snext ? c->sends[c->snext - 1] : 0;
                c->out.append(c->sdata, from, c->sends[c->snext] - from);
                if (++c->snext == c->sends.size()) {
                    c->streaming = false;
                    g_active_streams--;
                    if (c->cut) c->close_after = true;
                }
                if (!flush(c)) return false;
            }
            return true;
        }
        return step(c);
    }

    bool dispatch(Conn* c, string_view method, string_view path, string_view body, string_view auth, bool http11) {
        g_req.fetch_add(1, std::memory_order_relaxed);
        if (auto q = path.find('?'); q != path.npos) path = path.substr(0, q);
        if (path == "/health" || path == "/") return reply(c, http(200, "{\"status\":\"ok\"}"));
        if (path == "/__stats") {
            char b[256];
            snprintf(b, sizeof b,
                     "{\"requests\":%lu,\"streams\":%lu,\"accepted\":%lu,\"open\":%ld,\"active_streams\":%ld,\"aborted_"
                     "streams\":%lu}",
                     g_req.load(), g_stream.load(), g_accept.load(), g_open.load(), g_active_streams.load(),
                     g_aborted.load());
            return reply(c, http(200, b));
        }
        if (path.rfind("/v1/", 0) == 0) path.remove_prefix(3);
        if (!g_key.empty() && auth != "Bearer " + g_key)
            return error(c, 401, "Incorrect API key provided.", "invalid_request_error");
        if (path == "/chat/completions") {
            if (method != "POST") return error(c, 405, "Method not allowed", "invalid_request_error");
            return chat(c, body, http11);
        }
        if (path == "/models" && method == "GET") {
            string b = "{\"object\":\"list\",\"data\":[";
            bool first = true;
            for (const char* m : {"mock-64", "mock-64-20ms", "mock-64-each", "mock-tools", "mock-429", "mock-500",
                                  "mock-hang", "mock-cut", "mock-slow-header"}) {
                if (!first) b += ',';
                first = false;
                b += string("{\"id\":\"") + m + "\",\"object\":\"model\",\"created\":1732147200,\"owned_by\":\"mock\"}";
            }
            return reply(c, http(200, b + "]}"));
        }
        return error(c, 404, "Unknown request URL", "invalid_request_error");
    }

    static bool ieq(string_view a, string_view b) {
        return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
    }

    void process(Conn* c) {
        size_t pos = 0;
        string chunk_body;
        while (c->fd >= 0 && !c->busy && pos < c->in.size()) {
            string_view in(c->in.data() + pos, c->in.size() - pos);
            size_t he = in.find("\r\n\r\n");
            if (he == in.npos) {
                if (in.size() > 65536) {
                    closec(c);
                    return;
                }
                break;
            }
            string_view head = in.substr(0, he);
            size_t le = head.find("\r\n");
            string_view rl = head.substr(0, le);
            size_t s1 = rl.find(' '), s2 = rl.rfind(' ');
            if (s1 == rl.npos || s2 <= s1) {
                closec(c);
                return;
            }
            string_view method = rl.substr(0, s1), path = rl.substr(s1 + 1, s2 - s1 - 1);
            bool http11 = rl.substr(s2 + 1) == "HTTP/1.1";
            bool keep = http11, chunked = false, expect = false;
            size_t clen = 0;
            string_view auth;
            size_t p = le == head.npos ? head.size() : le + 2;
            while (p < head.size()) {
                size_t q = head.find("\r\n", p);
                if (q == head.npos) q = head.size();
                string_view line = head.substr(p, q - p);
                p = q + 2;
                size_t col = line.find(':');
                if (col == line.npos) continue;
                string_view k = line.substr(0, col), v = line.substr(col + 1);
                while (!v.empty() && v[0] == ' ') v.remove_prefix(1);
                switch (k.size()) {
                case 14:
                    if (ieq(k, "content-length")) clen = strtoul(string(v).c_str(), nullptr, 10);
                    break;
                case 17:
                    if (ieq(k, "transfer-encoding")) chunked = v.find("chunked") != v.npos;
                    break;
                case 10:
                    if (ieq(k, "connection")) {
                        if (ieq(v, "close")) keep = false;
                        else if (ieq(v, "keep-alive")) keep = true;
                    }
                    break;
                case 13:
                    if (ieq(k, "authorization")) auth = v;
                    break;
                case 6:
                    if (ieq(k, "expect")) expect = true;
                    break;
                }
            }
            string_view rest = in.substr(he + 4), body;
            size_t used = he + 4;
            if (chunked) {
                chunk_body.clear();
                size_t r = 0;
                bool done = false;
                while (true) {
                    size_t nl = rest.find("\r\n", r);
                    if (nl == rest.npos) break;
                    size_t sz = strtoul(string(rest.substr(r, nl - r)).c_str(), nullptr, 16);
                    r = nl + 2;
                    if (sz == 0) {
                        size_t end = rest.find("\r\n", r);
                        if (end == rest.npos) break;
                        r = end + 2;
                        done = true;
                        break;
                    }
                    if (rest.size() < r + sz + 2) break;
                    chunk_body.append(rest.substr(r, sz));
                    r += sz + 2;
                }
                if (!done) {
                    if (expect && rest.empty()) (void)!send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
                    break;
                }
                body = chunk_body;
                used += r;
            } else {
                if (rest.size() < clen) {
                    if (expect && rest.empty()) (void)!send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
                    break;
                }
                body = rest.substr(0, clen);
                used += clen;
            }
            if (!keep) c->close_after = true;
            pos += used;
            if (!dispatch(c, method, path, body, auth, http11)) return;
        }
        if (c->fd < 0) return;
        if (pos >= c->in.size()) c->in.clear();
        else if (pos) c->in.erase(0, pos);
    }

    void readable(Conn* c) {
        while (true) {
            ssize_t n = recv(c->fd, buf, sizeof buf, 0);
            if (n < 0) {
                if (errno == EINTR) continue;
                if (errno == EAGAIN) break;
                closec(c);
                return;
            }
            if (n == 0) {
                closec(c);
                return;
            }
            c->in.append(buf, n);
            if (n < ssize_t(sizeof buf)) break;
        }
        process(c);
    }

    void run(int port, const char* host) {
        lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int one = 1;
        setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        setsockopt(lfd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_port = htons(port);
        inet_pton(AF_INET, host, &a.sin_addr);
        if (bind(lfd, reinterpret_cast<sockaddr*>(&a), sizeof a) || listen(lfd, 4096)) {
            perror("bind/listen");
            exit(1);
        }
        ep = epoll_create1(EPOLL_CLOEXEC);
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.ptr = nullptr;
        epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e);
        epoll_event evs[512];
        while (true) {
            timespec ts, *tp = nullptr;
            if (!timers.empty()) {
                uint64_t n = now_us(), t = timers.top().t;
                uint64_t d = t > n ? t - n : 0;
                ts = {time_t(d / 1000000), long(d % 1000000) * 1000};
                tp = &ts;
            }
            int k = epoll_pwait2(ep, evs, 512, tp, nullptr);
            for (int i = 0; i < k; ++i) {
                Conn* c = static_cast<Conn*>(evs[i].data.ptr);
                if (!c) {
                    while (true) {
                        int fd = accept4(lfd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                        if (fd < 0) break;
                        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                        Conn* nc;
                        if (freelist.empty()) nc = new Conn;
                        else {
                            nc = freelist.back();
                            freelist.pop_back();
                        }
                        nc->fd = fd;
                        g_open++;
                        g_accept++;
                        epoll_event ce{};
                        ce.events = EPOLLIN | EPOLLRDHUP;
                        ce.data.ptr = nc;
                        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ce);
                    }
                    continue;
                }
                if (c->fd < 0) continue;
                if (evs[i].events & (EPOLLERR | EPOLLHUP)) {
                    closec(c);
                    continue;
                }
                if (evs[i].events & EPOLLOUT) {
                    if (!flush(c)) continue;
                    if (!c->busy) process(c);
                    if (c->fd < 0) continue;
                }
                if (evs[i].events & (EPOLLIN | EPOLLRDHUP)) readable(c);
            }
            if (!timers.empty()) {
                uint64_t n = now_us();
                while (!timers.empty() && timers.top().t <= n) {
                    Timer t = timers.top();
                    timers.pop();
                    if (t.c->gen != t.gen || t.c->fd < 0 || !t.c->streaming) continue;
                    if (step(t.c) && t.c->fd >= 0 && !t.c->busy && !t.c->in.empty()) process(t.c);
                }
            }
            for (auto* c : dead) freelist.push_back(c);
            dead.clear();
        }
    }
};

int main(int argc, char** argv) {
    int port = 18080, threads = 1;
    const char* host = "127.0.0.1";
    for (int i = 1; i + 1 < argc; i += 2) {
        string a = argv[i];
        if (a == "--port") port = atoi(argv[i + 1]);
        else if (a == "--threads") threads = atoi(argv[i + 1]);
        else if (a == "--host") host = argv[i + 1];
        else if (a == "--key") g_key = argv[i + 1];
        else {
            fprintf(stderr, "usage: upstream [--port 18080] [--threads 1] [--host 127.0.0.1] [--key SECRET]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    std::vector<std::thread> ts;
    for (int i = 1; i < threads; ++i) ts.emplace_back([=] { (new Worker)->run(port, host); });
    (new Worker)->run(port, host);
}
