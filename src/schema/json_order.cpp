// See json_order.hpp.
#include "schema/json_order.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace dure::schema {

namespace ordering {

constexpr double beyond_unsigned = 18446744073709551616.0;  // 2^64
constexpr double least_signed = -9223372036854775808.0;

template <class A, class B>
std::weak_ordering integers(A a, B b)
{
    return std::cmp_less(a, b)    ? std::weak_ordering::less
           : std::cmp_equal(a, b) ? std::weak_ordering::equivalent
                                  : std::weak_ordering::greater;
}

// f of the number as the type that holds it.
template <class F>
auto with_integer(const Json& number, F f)
{
    return number.is_number_unsigned() ? f(number.get<std::uint64_t>()) : f(number.get<std::int64_t>());
}

template <class Integer>
std::weak_ordering integer_and_double(Integer integer, double number)
{
    if (std::isnan(number) || number >= beyond_unsigned)
        return std::weak_ordering::less;
    if (number < least_signed)
        return std::weak_ordering::greater;
    const double floor = std::floor(number);
    const auto order = floor < 0 ? integers(integer, static_cast<std::int64_t>(floor))
                                 : integers(integer, static_cast<std::uint64_t>(floor));
    return order == 0 && floor < number ? std::weak_ordering::less : order;
}

std::weak_ordering doubles(double a, double b)
{
    if (std::isnan(a) || std::isnan(b))
        return std::isnan(a) <=> std::isnan(b);
    return a < b ? std::weak_ordering::less : a > b ? std::weak_ordering::greater : std::weak_ordering::equivalent;
}

// All numbers are one kind of value.
int kind_of(const Json& value)
{
    return static_cast<int>(value.is_number() ? Json::value_t::number_integer : value.type());
}

std::weak_ordering members(const Json& a, const Json& b)
{
    for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end(); ++left, ++right) {
        if (a.is_object())
            if (const auto names = left.key() <=> right.key(); names != 0)
                return names;
        if (const auto order = compare_values(*left, *right); order != 0)
            return order;
    }
    return a.size() <=> b.size();
}

}  // namespace ordering

Json whole_if_possible(const Json& value)
{
    if (!value.is_number_float())
        return value;
    const auto number = value.get<double>();
    if (std::floor(number) != number || number < ordering::least_signed || number >= ordering::beyond_unsigned)
        return value;
    return number < 0 ? Json(static_cast<std::int64_t>(number)) : Json(static_cast<std::uint64_t>(number));
}

std::weak_ordering compare_numbers(const Json& a, const Json& b)
{
    if (a.is_number_float() && b.is_number_float())
        return ordering::doubles(a.get<double>(), b.get<double>());
    if (a.is_number_float())
        return 0 <=> compare_numbers(b, a);
    return ordering::with_integer(a, [&](auto integer) {
        if (b.is_number_float())
            return ordering::integer_and_double(integer, b.get<double>());
        return ordering::with_integer(b, [&](auto other) { return ordering::integers(integer, other); });
    });
}

std::weak_ordering compare_values(const Json& a, const Json& b)
{
    if (const auto kinds = ordering::kind_of(a) <=> ordering::kind_of(b); kinds != 0)
        return kinds;
    if (a.is_number())
        return compare_numbers(a, b);
    if (a.is_structured())
        return ordering::members(a, b);
    return a < b ? std::weak_ordering::less : a == b ? std::weak_ordering::equivalent : std::weak_ordering::greater;
}

bool divides(const Json& step, const Json& number)
{
    const auto size = [](auto integer) {  // the least signed has no positive of its own
        return std::cmp_less(integer, 0) ? std::uint64_t{0} - static_cast<std::uint64_t>(integer)
                                         : static_cast<std::uint64_t>(integer);
    };
    return ordering::with_integer(number, size) % ordering::with_integer(step, size) == 0;
}

}  // namespace dure::schema
