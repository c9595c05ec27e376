// The one translation unit that compiles Asio and its TLS (BOOST_ASIO_SEPARATE_COMPILATION, see docs/dependencies.md).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
