// What we use of fmt, in our own archive: the product links the C++ library in (CMakeLists.txt),
// and a shared libfmt would bring the shared one back.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace {

[[gnu::used]] std::string (*const vformat)(fmt::string_view, fmt::format_args) = &fmt::vformat;
[[gnu::used]] bool (*const is_printable)(std::uint32_t) = &fmt::detail::is_printable;
[[gnu::used]] void (*const throw_format_error)(const char*) = &fmt::detail::throw_format_error;

}  // namespace
