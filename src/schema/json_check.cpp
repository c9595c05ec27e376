// check_json: a state machine over an explicit stack of open containers; see json_check.hpp. Plain ASCII inside strings is
// passed over many bytes at a time.
#include "dure/schema/json_check.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstdlib>
#include <cstring>
#include <list>

#include "dure/base/hex_digit.hpp"
#include "dure/base/json_text.hpp"
#include "dure/base/text.hpp"
#include "schema/json_string.hpp"

namespace dure::schema {

namespace check {

// Bytes of the well-formed UTF-8 character at `at` (one that is not ASCII); 0 when it is malformed.
std::size_t utf8_length(std::string_view text, std::size_t at)
{
    const auto byte = [&](std::size_t i) {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
    const auto lead = byte(0);
    if (lead >= 0xC2 && lead <= 0xDF)
        return follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = lead == 0xED && byte(1) > 0x9F;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool overlong = lead == 0xF0 && byte(1) < 0x90;
        const bool too_high = lead == 0xF4 && byte(1) > 0x8F;
        return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
    }
    return 0;
}

struct Key {
    std::string_view text;  // decoded
    std::size_t offset;
};

struct Frame {
    bool object;
    std::size_t first_key;  // index into the keys of all open objects
    std::size_t count = 0;  // members or elements so far
    std::string_view raw_key;  // of the member that is being read, undecoded
    bool escaped = false;  // there is an escape in that key
    std::size_t value_at = 0;  // where the value of that member begins
};

// Room for what most documents need, without an allocation.
using Frames = boost::container::small_vector<Frame, 8>;
using Keys = boost::container::small_vector<Key, 24>;

class Checker {
public:
    // `members`: null, or filled with those of the document.
    Checker(std::string_view text, const JsonLimits& limits, JsonIndex* members)
        : text_(text), limits_(limits), members_(members)
    {}

    Result<void> run()
    {
        if (document())
            return {};
        if (members_ != nullptr)
            members_->clear();
        const auto place = path();
        return Error(Errc::invalid_argument, "The JSON is not valid: " + fault_ + " at byte " +
                                                 std::to_string(fault_at_) +
                                                 (place.empty() ? "." : ", in " + place + "."))
            .reason("invalid_json")
            .param(place);
    }

private:
    bool document()
    {
        if (!value(next()))
            return false;
        while (!open_.empty())
            if (!step())
                return false;
        next();
        return at_ == text_.size() || fail("text after the document");
    }

    // One member, element or closing bracket of the innermost container.
    bool step()
    {
        auto& frame = open_.back();
        if (members_ != nullptr && open_.size() == 1)
            note_member();
        const char first = next();
        if (first == (frame.object ? '}' : ']'))
            return close();
        if (frame.count > 0) {
            if (first != ',')
                return fail(frame.object ? "expected ',' or '}'" : "expected ',' or ']'");
            ++at_;
        }
        ++frame.count;
        if (!frame.object)
            return value(next());
        if (frame.count > limits_.keys_per_object)
            return fail("an object has more than " + std::to_string(limits_.keys_per_object) + " keys");
        if (!key(frame))
            return false;
        const char begin = next();
        frame.value_at = at_;
        return value(begin);
    }

    // Stands behind a member of the document, or before the first one.
    void note_member()
    {
        const auto& frame = open_.back();
        if (frame.object && frame.count > 0)
            members_->add(frame.raw_key, frame.escaped, text_.substr(frame.value_at, at_ - frame.value_at));
    }

    // That begins with this byte.
    bool value(char first)
    {
        switch (first) {
        case '{': return open(true);
        case '[': return open(false);
        case '"': return string();
        case 't': return word("true");
        case 'f': return word("false");
        case 'n': return word("null");
        default: return number();
        }
    }

    bool open(bool object)
    {
        if (open_.size() >= std::min<std::size_t>(limits_.depth, 1024))
            return fail("it is nested deeper than " + std::to_string(limits_.depth) + " levels");
        ++at_;
        open_.push_back({.object = object, .first_key = keys_.size(), .raw_key = {}});
        return true;
    }

    bool close()
    {
        const auto& frame = open_.back();
        const auto first_key = frame.first_key;
        if (frame.object && limits_.refuse_duplicates && has_duplicate(first_key))
            return false;
        ++at_;
        open_.pop_back();
        keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(first_key), keys_.end());
        if (keys_.empty())
            decoded_.clear();
        return true;
    }

    // A few keys are compared each with each: most differ in length already.
    bool few_and_different(std::size_t first) const
    {
        if (keys_.size() - first > 16)
            return false;
        for (auto i = first; i + 1 < keys_.size(); ++i)
            for (auto j = i + 1; j < keys_.size(); ++j)
                if (keys_[i].text == keys_[j].text)
                    return false;
        return true;
    }

    bool has_duplicate(std::size_t first)
    {
        if (few_and_different(first))
            return false;
        const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
        std::sort(begin, keys_.end(),
                  [](const Key& a, const Key& b) { return a.text != b.text ? a.text < b.text : a.offset < b.offset; });
        const auto twice =
            std::adjacent_find(begin, keys_.end(), [](const Key& a, const Key& b) { return a.text == b.text; });
        if (twice == keys_.end())
            return false;
        at_ = (twice + 1)->offset;
        fail("a key occurs twice");
        name_member(open_.back(), at_);
        return true;
    }

    // The fault lies at the key that begins here: the path ends with it, not with the object's last one.
    void name_member(Frame& frame, std::size_t key_at)
    {
        at_ = key_at;
        string();
        frame.raw_key = text_.substr(key_at + 1, at_ - key_at - 2);
        at_ = key_at;
    }

    bool key(Frame& frame)
    {
        if (next() != '"')
            return fail("expected a key in double quotes");
        const auto offset = at_;
        if (!string())
            return false;
        const std::string_view inner(text_.data() + offset + 1, at_ - offset - 2);
        frame.raw_key = inner;
        frame.escaped = escaped_;
        if (limits_.refuse_duplicates)
            keys_.push_back({escaped_ ? decoded_.emplace_back(decode_json_string(inner)) : inner, offset});
        if (next() != ':')
            return fail("expected ':'");
        ++at_;
        return true;
    }

    bool string()
    {
        ++at_;
        escaped_ = false;
        if (const auto end = short_string_end(text_, at_); end != 0) {
            at_ = end;
            return true;
        }
        return longer_string();
    }

    bool longer_string()
    {
        while (true) {
            at_ = plain_json_run_end(text_, at_);
            if (at_ >= text_.size())
                return fail("a string does not end");
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c < 0x20)
                return fail("a control character in a string");
            if (c == '\\') {
                escaped_ = true;
                if (!escape())
                    return false;
                continue;
            }
            if (!characters())
                return fail("invalid UTF-8");
        }
    }

    // Those that are not ASCII, one behind the other.
    bool characters()
    {
        while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80) {
            const auto length = utf8_length(text_, at_);
            if (length == 0)
                return false;
            at_ += length;
        }
        return true;
    }

    bool escape()
    {
        const char letter = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (letter == 'u')
            return unicode_escape();
        if (letter == '\0' || std::strchr("\"\\/bfnrt", letter) == nullptr)
            return fail("an unknown escape in a string");
        at_ += 2;
        return true;
    }

    bool unicode_escape()
    {
        const auto first = hex4(text_.substr(at_ + 2));
        if (!first)
            return fail("an escape without four hexadecimal digits");
        if (*first == 0 && limits_.refuse_nul)
            return fail("the character U+0000");
        if (*first < 0xD800 || *first > 0xDFFF) {
            at_ += 6;
            return true;
        }
        const auto rest = text_.substr(at_ + 6);
        const auto second = rest.starts_with("\\u") ? hex4(rest.substr(2)) : std::nullopt;
        if (*first > 0xDBFF || !second || *second < 0xDC00 || *second > 0xDFFF)
            return fail("half of a surrogate pair");
        at_ += 12;
        return true;
    }

    bool digits()
    {
        const auto start = at_;
        while (peek() >= '0' && peek() <= '9')
            ++at_;
        return at_ > start;
    }

    bool number()
    {
        const auto start = at_;
        take('-');
        const bool zero_first = peek() == '0';
        if (!digits())
            return fail(at_ == text_.size() ? "the text ends early" : "expected a value");
        if (zero_first && at_ - start > (text_[start] == '-' ? 2u : 1u))
            return fail_at(start, "a number with a leading zero");
        if (take('.') && !digits())
            return fail("expected digits after the point");
        bool exponent = false;
        if (take('e') || take('E')) {
            exponent = true;
            if (!take('+'))
                take('-');
            if (!digits())
                return fail("expected digits in the exponent");
        }
        if (at_ - start > limits_.number_length)
            return fail_at(start, "a number longer than " + std::to_string(limits_.number_length) + " characters");
        if ((exponent || at_ - start > 300) && too_large(text_.substr(start, at_ - start)))
            return fail_at(start, "a number that is too large");
        return true;
    }

    static bool too_large(std::string_view number)
    {
        const double value = std::strtod(std::string(number).c_str(), nullptr);
        return value - value != 0;
    }

    bool word(std::string_view wanted)
    {
        if (!text_.substr(at_).starts_with(wanted))
            return fail("expected a value");
        at_ += wanted.size();
        return true;
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool take(char wanted)
    {
        if (at_ >= text_.size() || text_[at_] != wanted)
            return false;
        ++at_;
        return true;
    }

    // The byte behind white space, where the checker stands then; 0 at the end.
    char next()
    {
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (static_cast<unsigned char>(c) > ' ' || (c != ' ' && c != '\n' && c != '\t' && c != '\r'))
                return c;
        }
        return '\0';
    }

    bool fail(std::string what) { return fail_at(at_, std::move(what)); }

    bool fail_at(std::size_t offset, std::string what)
    {
        fault_ = std::move(what);
        fault_at_ = offset;
        return false;
    }

    // Where the checker stands: keys and positions joined by dots. Keys may be malformed and long, so they are cut.
    std::string path() const
    {
        std::string all;
        for (const auto& frame : open_) {
            if (frame.count == 0 || (frame.object && frame.raw_key.empty()))
                break;
            if (!all.empty())
                all += '.';
            all += frame.object ? std::string(utf8_prefix(decode_json_string(frame.raw_key.substr(0, 400)), 64))
                                : std::to_string(frame.count - 1);
            if (all.size() > 256)
                break;
        }
        return to_valid_utf8(all);
    }

    std::string_view text_;
    const JsonLimits& limits_;
    std::size_t at_ = 0;
    bool escaped_ = false;  // the last string had an escape
    JsonIndex* const members_;
    Frames open_;
    Keys keys_;  // of all open objects, innermost last
    std::list<std::string> decoded_;  // keys that had escapes
    std::string fault_;
    std::size_t fault_at_ = 0;
};

}  // namespace check

Result<void> check_json(std::string_view text, const JsonLimits& limits, JsonIndex* members)
{
    if (members != nullptr)
        members->clear();
    return check::Checker(text, limits, members).run();
}

}  // namespace dure::schema
