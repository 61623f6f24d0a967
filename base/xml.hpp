#pragma once

#include <string>
#include <string_view>

namespace wasmplug {

// `text` for an element or a quoted attribute of XML 1.0 (§2.2, §2.4), SVG and HTML: what markup
// means something else by is escaped, line breaks and tabs too, and what XML cannot hold (control
// characters, U+FFFE, U+FFFF, bytes that are no UTF-8) is shown as printable() shows it.
std::string xml_escaped(std::string_view text);

}  // namespace wasmplug
