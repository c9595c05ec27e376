// The one translation unit that compiles Asio (BOOST_ASIO_SEPARATE_COMPILATION, see docs/dependencies.md).
#include <boost/asio/impl/src.hpp>
