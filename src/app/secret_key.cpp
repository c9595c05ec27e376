// Makes or reads the embedded secret key (threat-model §2: 32 random bytes, mode 0600, reused).
#include "app/secret_key.hpp"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::app {

namespace {

Error file_error(const std::filesystem::path& path, const char* doing)
{
    return Error(Errc::unavailable, std::string("cannot ") + doing + " " + path.string() + ": " + std::strerror(errno));
}

std::string random_key()
{
    std::array<unsigned char, 32> bytes;
    fill_random(bytes.data(), bytes.size());
    return hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Result<SecretString> make_key(const std::filesystem::path& path)
{
    const auto text = random_key();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return file_error(path, "create");
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    ::close(file);
    if (!written)
        return file_error(path, "write");
    return SecretString(text);
}

}  // namespace

Result<SecretString> secret_key(const config::Settings& settings)
{
    if (!settings.auth.secret_key.empty())
        return settings.auth.secret_key;
    if (!settings.sqlite())
        return Error(Errc::invalid_argument, "SECRET_KEY must be set when the database is not the embedded one");
    if (settings.in_memory())
        return SecretString(random_key());   // nothing outlives the process, the key neither
    const std::filesystem::path path = settings.sqlite_path() + ".secret";
    if (!std::filesystem::exists(path))
        return make_key(path);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return file_error(path, "read");
    if ((status.st_mode & 077) != 0)
        return Error(Errc::invalid_argument, path.string() + " can be read by others: make it mode 0600");
    std::ifstream in(path);
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (text.size() < 32)
        return Error(Errc::invalid_argument, path.string() + " is damaged: it must hold 64 hexadecimal digits");
    return SecretString(std::move(text));
}

SecretString derive_key(const SecretString& secret, std::string_view use)
{
    std::string label = "dure/" + std::string(use);
    std::string input(secret.reveal());
    std::string digest = "SHA256";
    std::array<unsigned char, 32> out;
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
                               OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, input.data(), input.size()),
                               OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label.data(), label.size()),
                               OSSL_PARAM_construct_end()};
    const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr), &EVP_KDF_free);
    const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
    if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) != 1)
        throw InvariantBroken("HKDF failed");
    return SecretString(std::string(reinterpret_cast<const char*>(out.data()), out.size()));
}

}  // namespace dure::app
