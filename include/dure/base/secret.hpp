// A string that must not be shown: it has no stream operator and no JSON form, and it is wiped when it goes.
#pragma once

#include <string>
#include <string_view>

namespace dure {

class SecretString {
public:
    SecretString() = default;
    explicit SecretString(std::string value) : value_(std::move(value)) {}
    SecretString(const SecretString&) = default;
    SecretString(SecretString&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
    SecretString& operator=(const SecretString& other);
    SecretString& operator=(SecretString&& other) noexcept;
    ~SecretString() { wipe(); }

    bool empty() const { return value_.empty(); }
    // The one way to the text; a reader of the code can search for it.
    std::string_view reveal() const { return value_; }

private:
    void wipe() noexcept;
    std::string value_;
};

}  // namespace dure
