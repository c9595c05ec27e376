// A scanner for the little of a request the mock model server reads: top-level keys, roles of the messages. No tree is built.
#pragma once

#include <cstddef>
#include <string_view>

namespace bench {

using std::string_view;

// Only what the mock needs: top-level keys of the request; roles of the messages.
struct Scan {
    const char* p;
    const char* e;
    bool bad = false;
    void ws() {
        while (p < e && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) ++p;
    }
    string_view str() {  // raw (still escaped) contents
        if (p >= e || *p != '"') {
            bad = true;
            return {};
        }
        const char* s = ++p;
        while (p < e && *p != '"') p += (*p == '\\') ? 2 : 1;
        if (p >= e) {
            bad = true;
            return {};
        }
        string_view r(s, p - s);
        ++p;
        return r;
    }
    string_view value() {  // skips any value, returns its raw text
        ws();
        const char* s = p;
        if (p >= e) {
            bad = true;
            return {};
        }
        if (*p == '"') {
            str();
            return {s, size_t(p - s)};
        }
        if (*p == '{' || *p == '[') {
            int d = 0;
            while (p < e) {
                char c = *p;
                if (c == '"') {
                    str();
                    if (bad) return {};
                    continue;
                }
                if (c == '{' || c == '[') ++d;
                if (c == '}' || c == ']') {
                    --d;
                    if (!d) {
                        ++p;
                        return {s, size_t(p - s)};
                    }
                }
                ++p;
            }
            bad = true;
            return {};
        }
        while (p < e && *p != ',' && *p != '}' && *p != ']' && *p > ' ') ++p;
        if (p == s) bad = true;
        return {s, size_t(p - s)};
    }
};
template <class F>
bool each_member(string_view obj, F f) {
    Scan s{obj.data(), obj.data() + obj.size()};
    s.ws();
    if (s.p >= s.e || *s.p != '{') return false;
    ++s.p;
    s.ws();
    if (s.p < s.e && *s.p == '}') return true;
    while (true) {
        s.ws();
        auto k = s.str();
        s.ws();
        if (s.bad || s.p >= s.e || *s.p != ':') return false;
        ++s.p;
        auto v = s.value();
        if (s.bad) return false;
        f(k, v);
        s.ws();
        if (s.p >= s.e) return false;
        if (*s.p == ',') {
            ++s.p;
            continue;
        }
        return *s.p == '}';
    }
}
template <class F>
bool each_item(string_view arr, F f) {
    Scan s{arr.data(), arr.data() + arr.size()};
    s.ws();
    if (s.p >= s.e || *s.p != '[') return false;
    ++s.p;
    s.ws();
    if (s.p < s.e && *s.p == ']') return true;
    while (true) {
        auto v = s.value();
        if (s.bad) return false;
        f(v);
        s.ws();
        if (s.p >= s.e) return false;
        if (*s.p == ',') {
            ++s.p;
            continue;
        }
        return *s.p == ']';
    }
}
inline string_view unq(string_view v) {
    return v.size() >= 2 && v[0] == '"' ? v.substr(1, v.size() - 2) : string_view{};
}

}  // namespace bench
