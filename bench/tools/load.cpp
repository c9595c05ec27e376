// load: closed-loop HTTP/1.1 load generator that understands SSE. Plain epoll, one thread, no dependencies.
// Loopback targets only; bench/README.md.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <queue>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "load_report.hpp"
#include "load_state.hpp"
#include "measure.hpp"

using namespace bench;
using std::string;
using std::string_view;

static uint64_t now_us() {
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return uint64_t(ts.tv_sec) * 1000000u + ts.tv_nsec / 1000;
}

static void watch(Conn& c, bool add, bool out) {
    epoll_event e{};
    e.events = EPOLLIN | EPOLLRDHUP;
    if (out) e.events |= EPOLLOUT;
    e.data.u32 = c.id;
    epoll_ctl(ep, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c.fd, &e);
}
static void dial(Conn& c);
static void err(const string& what) {
    if (now_us() >= t_count && now_us() < t_end) {
        ++errs[what];
        ++n_err;
    }
}
static void drop(Conn& c) {
    if (c.fd >= 0) close(c.fd);
    c.fd = -1;
    c.inflight = false;
    c.connecting = false;
    c.carry.clear();
    c.line.clear();
}
static void reopen(Conn& c, bool backoff) {
    drop(c);
    if (backoff) {
        c.retry_at = now_us() + 20000;
        return;
    }
    ++n_reconn;
    dial(c);
}
static void push(Conn& c) {
    while (c.out_pos < c.out.size()) {
        ssize_t n = send(c.fd, c.out.data() + c.out_pos, c.out.size() - c.out_pos, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                watch(c, false, true);
                return;
            }
            err("send");
            reopen(c, true);
            return;
        }
        c.out_pos += n;
    }
}
static void start(Conn& c) {
    uint64_t t = now_us();
    if (t >= t_end || (O.max_req && n_started >= O.max_req)) return;
    c.st = HEAD;
    c.carry.clear();
    c.line.clear();
    c.body.clear();
    c.status = 0;
    c.events = 0;
    c.done = false;
    c.close_after = false;
    c.tfirst = c.tlast = 0;
    ++c.n;
    if (!g_has_holes) c.out = g_req;
    else c.out = build(c, O.fresh);
    c.out_pos = 0;
    c.inflight = true;
    ++n_started;
    c.t0 = t;
    push(c);
}
static void dial(Conn& c) {
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c.used = false;
    c.retry_at = 0;
    int r = connect(c.fd, reinterpret_cast<sockaddr*>(&g_addr), sizeof g_addr);
    if (r && errno != EINPROGRESS) {
        err("connect");
        drop(c);
        c.retry_at = now_us() + 20000;
        return;
    }
    c.connecting = r != 0;
    watch(c, true, c.connecting);
    if (!c.connecting) start(c);
}
// A token is text: the event that only says who speaks is none.
static bool brings_text(string_view event) {
    const string_view key = "\"content\":\"";
    size_t at = event.find(key);
    return at != event.npos && at + key.size() < event.size() && event[at + key.size()] != '"';
}
static void sse_line(Conn& c, string_view l, uint64_t t) {
    if (l.size() < 5 || memcmp(l.data(), "data:", 5)) return;
    l.remove_prefix(5);
    if (!l.empty() && l[0] == ' ') l.remove_prefix(1);
    if (l.substr(0, 6) == "[DONE]") {
        c.done = true;
        return;
    }
    ++c.events;
    bool counted = t >= t_count && t < t_end;
    if (counted) ++n_events;
    if (!c.tfirst && brings_text(l)) c.tfirst = t;
    if (c.tlast && counted && L_gap.size() < 4000000) L_gap.push_back(uint32_t(t - c.tlast));
    c.tlast = t;
}
static void data(Conn& c, const char* p, size_t n, uint64_t t) {
    n_bytes += n;
    if (!O.expect.empty() && c.body.size() < (1 << 20)) c.body.append(p, n);
    if (!O.stream || c.status != 200) {
        if (!c.tfirst) c.tfirst = t;
        return;
    }
    const char* e = p + n;
    while (p < e) {
        const char* nl = static_cast<const char*>(memchr(p, '\n', e - p));
        if (!nl) {
            c.line.append(p, e - p);
            return;
        }
        if (c.line.empty()) sse_line(c, {p, size_t(nl - p)}, t);
        else {
            c.line.append(p, nl - p);
            sse_line(c, c.line, t);
            c.line.clear();
        }
        p = nl + 1;
    }
}
// the response is complete; false: the connection was replaced
static bool finish(Conn& c, uint64_t t) {
    bool good = c.status >= 200 && c.status < 300;
    ++n_all;
    if (!good) err("http_" + std::to_string(c.status));
    else if (O.stream && !O.no_done && !c.done) err("no_DONE");
    else if (O.stream && O.events >= 0 && c.events != O.events) err("events_" + std::to_string(c.events));
    else if (!O.expect.empty() && c.body.find(O.expect) == string::npos) err("unexpected_body");
    else if (t >= t_count && t < t_end) {
        ++n_ok;
        L_total.push_back(uint32_t(t - c.t0));
        L_ttft.push_back(uint32_t((c.tfirst ? c.tfirst : t) - c.t0));
    }
    c.inflight = false;
    c.used = true;
    if (c.close_after || O.fresh) {
        reopen(c, false);
        return false;
    }
    if (!good) {  // don't spin on a failing server
        if (t < t_end) { c.retry_at = t + 2000; }
        return true;
    }
    start(c);
    return c.fd >= 0;
}
static bool head_done(Conn& c, string_view h) {
    if (h.size() < 12 || h.substr(0, 5) != "HTTP/") return false;
    c.status = atoi(string(h.substr(9, 3)).c_str());
    c.close_after = h.substr(0, 8) == "HTTP/1.0";
    bool chunked = false, has_cl = false;
    size_t p = h.find("\r\n");
    c.remain = 0;
    while (p != h.npos && p + 2 < h.size()) {
        p += 2;
        size_t q = h.find("\r\n", p);
        string_view l = h.substr(p, q == h.npos ? h.npos : q - p);
        if (l.size() > 15 && !strncasecmp(l.data(), "content-length:", 15)) {
            has_cl = true;
            c.remain = strtoul(string(l.substr(15)).c_str(), nullptr, 10);
        } else if (l.size() > 18 && !strncasecmp(l.data(), "transfer-encoding:", 18))
            chunked = l.find("chunked") != l.npos;
        else if (l.size() > 11 && !strncasecmp(l.data(), "connection:", 11) && strcasestr(string(l).c_str(), "close"))
            c.close_after = true;
        p = q;
    }
    if (chunked) c.st = CH_SIZE;
    else if (has_cl || c.status == 204 || c.status == 304) c.st = BODY_CL;
    else {
        c.st = BODY_CLOSE;
        c.close_after = true;
    }
    return true;
}
static void feed(Conn& c, const char* p, size_t n, uint64_t t) {
    const char* e = p + n;
    while (true) {
        switch (c.st) {
        case HEAD: {
            if (p == e) return;
            if (c.carry.empty()) {
                string_view v(p, e - p);
                size_t k = v.find("\r\n\r\n");
                if (k == v.npos) {
                    c.carry.assign(p, e - p);
                    return;
                }
                if (!head_done(c, v.substr(0, k))) {
                    err("bad_http");
                    reopen(c, true);
                    return;
                }
                p += k + 4;
            } else {
                size_t old = c.carry.size();
                c.carry.append(p, e - p);
                size_t k = c.carry.find("\r\n\r\n", old > 3 ? old - 3 : 0);
                if (k == string::npos) return;
                if (!head_done(c, string_view(c.carry).substr(0, k))) {
                    err("bad_http");
                    reopen(c, true);
                    return;
                }
                p += k + 4 - old;
                c.carry.clear();
            }
            if (c.status == 100) {
                c.st = HEAD;
                break;
            }
            if (c.st == BODY_CL && c.remain == 0) {
                finish(c, t);
                return;
            }
            break;
        }
        case BODY_CL: {
            size_t k = std::min<size_t>(e - p, c.remain);
            if (!k) return;
            data(c, p, k, t);
            p += k;
            c.remain -= k;
            if (!c.remain) {
                finish(c, t);
                return;
            }
            break;
        }
        case BODY_CLOSE:
            if (p < e) data(c, p, e - p, t);
            return;
        case CH_SIZE:
        case CH_TRAIL: {
            if (p == e) return;
            const char* nl = static_cast<const char*>(memchr(p, '\n', e - p));
            if (!nl) {
                c.carry.append(p, e - p);
                return;
            }
            c.carry.append(p, nl - p);
            p = nl + 1;
            if (c.st == CH_TRAIL) {
                bool empty = c.carry.empty() || c.carry == "\r";
                c.carry.clear();
                if (empty) {
                    finish(c, t);
                    return;
                }
                break;
            }
            c.remain = strtoul(c.carry.c_str(), nullptr, 16);
            c.carry.clear();
            c.st = c.remain ? CH_DATA : CH_TRAIL;
            break;
        }
        case CH_DATA: {
            size_t k = std::min<size_t>(e - p, c.remain);
            if (!k) return;
            data(c, p, k, t);
            p += k;
            c.remain -= k;
            if (!c.remain) {
                c.st = CH_CRLF;
                c.remain = 2;
            }
            break;
        }
        case CH_CRLF: {
            size_t k = std::min<size_t>(e - p, c.remain);
            if (!k) return;
            p += k;
            c.remain -= k;
            if (!c.remain) c.st = CH_SIZE;
            break;
        }
        }
    }
}

static char RB[262144];
static void on_event(Conn& c, uint32_t ev) {
    if (c.fd < 0) return;
    if (c.connecting) {
        int e = 0;
        socklen_t l = sizeof e;
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &e, &l);
        if (e) {
            err("connect");
            drop(c);
            c.retry_at = now_us() + 20000;
            return;
        }
        if (!(ev & EPOLLOUT)) return;
        c.connecting = false;
        watch(c, false, false);
        start(c);
        return;
    }
    if ((ev & EPOLLOUT) && c.out_pos < c.out.size()) {
        push(c);
        if (c.fd < 0) return;
        if (c.out_pos == c.out.size()) watch(c, false, false);
    }
    if (!(ev & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))) return;
    while (true) {
        int fd = c.fd;
        ssize_t n = recv(fd, RB, sizeof RB, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return;
        }
        if (n <= 0) {
            if (c.inflight && c.st == BODY_CLOSE && n == 0) {
                finish(c, now_us());
                return;
            }
            if (c.inflight) {
                if (c.used && c.st == HEAD && c.carry.empty()) {
                    --n_started;
                    reopen(c, false);
                    return;
                }  // keep-alive race
                err(c.st == HEAD ? "closed_before_response" : "cut_mid_body");
                reopen(c, true);
                return;
            }
            reopen(c, false);
            return;
        }
        if (!c.inflight) {
            err("unsolicited_data");
            reopen(c, true);
            return;
        }
        feed(c, RB, n, now_us());
        if (c.fd != fd || n < ssize_t(sizeof RB)) return;
    }
}

int main(int argc, char** argv) {
    parse_options(argc, argv);
    string hp = O.url.substr(7);
    size_t sl = hp.find('/');
    g_path = sl == hp.npos ? "/" : hp.substr(sl);
    g_host = hp.substr(0, sl);
    string host = g_host.substr(0, g_host.find(':'));
    int port = g_host.find(':') == g_host.npos ? 80 : atoi(g_host.c_str() + g_host.find(':') + 1);
    if (host == "localhost") host = "127.0.0.1";
    g_addr.sin_family = AF_INET;
    g_addr.sin_port = htons(port);
    if (host.rfind("127.", 0) || inet_pton(AF_INET, host.c_str(), &g_addr.sin_addr) != 1) {
        fprintf(stderr, "loopback targets only\n");
        return 2;
    }
    if (O.method.empty()) O.method = O.body.empty() ? "GET" : "POST";
    g_bodyt = subst(O.body);
    for (auto& h : O.headers) h = subst(h);
    g_has_holes = has_holes(g_bodyt) || std::any_of(O.headers.begin(), O.headers.end(), has_holes);
    signal(SIGPIPE, SIG_IGN);
    rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);

    ep = epoll_create1(0);
    conns.resize(O.conns);
    Conn dummy;
    g_req = build(dummy, O.fresh);
    L_total.reserve(1 << 20);
    L_ttft.reserve(1 << 20);
    t_begin = now_us();
    t_count = t_begin + uint64_t(O.warm * 1e6);
    t_end = t_count + uint64_t(O.dur * 1e6);
    long rss0 = 0, rss_peak = 0;
    for (int p : O.pids) rss0 += rss_kb(p);
    for (int i = 0; i < O.conns; ++i) {
        conns[i].id = i;
        if (O.ramp > 0) conns[i].retry_at = t_begin + uint64_t(O.ramp * 1e6 * i / O.conns) + 1;
        else dial(conns[i]);
    }
    epoll_event ev[1024];
    uint64_t next_tick = t_begin + 5000, next_rss = t_count, cpu0 = 0, cpu1 = 0, tc0 = 0, tc1 = 0,
             next_to = t_begin + 500000;
    bool cpu_started = false;
    uint64_t mb0 = 0, ms0 = 0, own0 = 0, mb1 = 0, ms1 = 0, own1 = 0;
    auto own = [&] {
        uint64_t c = cpu_us(getpid());
        for (int p : O.pids) c += cpu_us(p);
        for (int p : O.also)
            if (std::find(O.pids.begin(), O.pids.end(), p) == O.pids.end()) c += cpu_us(p);
        return c;
    };
    while (true) {
        uint64_t t = now_us();
        if (t >= t_end) break;
        if (O.max_req && n_all + n_err >= O.max_req) {
            t_end = t;
            break;
        }
        if (!cpu_started && t >= t_count) {
            cpu_started = true;
            tc0 = t;
            for (int p : O.pids) cpu0 += cpu_us(p);
            own0 = own();
            machine_cpu(mb0, ms0);
        }
        int k = epoll_wait(ep, ev, 1024, 5);
        for (int i = 0; i < k; ++i) on_event(conns[ev[i].data.u32], ev[i].events);
        t = now_us();
        if (t >= next_tick) {
            next_tick = t + 2000;
            for (auto& c : conns)
                if (c.retry_at && t >= c.retry_at) {
                    c.retry_at = 0;
                    if (c.fd < 0) dial(c);
                    else if (!c.inflight && !c.connecting) start(c);
                }
        }
        if (t >= next_to) {
            next_to = t + 500000;
            for (auto& c : conns)
                if (c.inflight && t - c.t0 > uint64_t(O.timeout * 1e6)) {
                    err("timeout");
                    reopen(c, true);
                }
        }
        if (!O.pids.empty() && t >= next_rss) {
            next_rss = t + std::max<uint64_t>(1000000, uint64_t(O.dur * 1e6 / 4));
            long r = 0;
            for (int p : O.pids) r += rss_kb(p);
            rss_peak = std::max(rss_peak, r);
        }
    }
    tc1 = now_us();
    for (int p : O.pids) cpu1 += cpu_us(p);
    own1 = own();
    machine_cpu(mb1, ms1);
    Window w;
    w.secs = (std::min(tc1, std::max(t_end, t_count + 1)) - t_count) / 1e6;
    w.cpu_s = (cpu1 - cpu0) / 1e6;
    w.cpu_w = tc1 > tc0 ? (tc1 - tc0) / 1e6 : 1;
    w.noise = std::max(0.0, (double(mb1 - mb0) - double(own1 - own0)) / 1e6 / w.cpu_w);
    w.steal = (ms1 - ms0) / 1e6 / w.cpu_w;
    w.rss0 = rss0;
    w.rss_peak = rss_peak;
    report(w);
    return n_ok ? 0 : 1;
}
