// fmt's code, compiled into the program: Debian has no static library of it, and loading the shared one would cost
// every command 130,000 instructions when it starts. The last two lines are what fmt's own source file adds to its
// header.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
}  // namespace detail
FMT_END_NAMESPACE
