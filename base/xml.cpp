#include "base/xml.hpp"

#include "base/terminal.hpp"

namespace wasmplug {

std::string xml_escaped(std::string_view text) {
    auto shown = printable(text);
    for (const std::string_view never : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"}) {
        for (auto at = shown.find(never); at != std::string::npos; at = shown.find(never, at)) {
            shown.replace(at, never.size(), "?");
        }
    }
    std::string escaped;
    for (const char c : shown) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\n':
                escaped += "&#10;";
                break;
            case '\t':
                escaped += "&#9;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace wasmplug
