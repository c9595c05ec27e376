// SecretString: wiping copies. OPENSSL_cleanse is used because a compiler may drop a memset of dying memory.
#include "dure/base/secret.hpp"

#include <openssl/crypto.h>

namespace dure {

SecretString& SecretString::operator=(const SecretString& other)
{
    if (this != &other) {
        wipe();
        value_ = other.value_;
    }
    return *this;
}

SecretString& SecretString::operator=(SecretString&& other) noexcept
{
    if (this != &other) {
        wipe();
        value_ = std::move(other.value_);
        other.wipe();
    }
    return *this;
}

void SecretString::wipe() noexcept
{
    if (!value_.empty())
        OPENSSL_cleanse(value_.data(), value_.size());
    value_.clear();
}

}  // namespace dure
