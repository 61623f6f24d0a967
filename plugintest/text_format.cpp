#include "plugintest/text_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/terminal.hpp"

namespace wasmplug::plugintest {
namespace {

constexpr int deepest = 50;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+';
}

int digit(char c, int base) {
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : base;
    return value < base ? value : -1;
}

void append_utf8(std::string& out, unsigned code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0U | code >> 6U);
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0U | code >> 12U);
        out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else {
        out += static_cast<char>(0xF0U | code >> 18U);
        out += static_cast<char>(0x80U | (code >> 12U & 0x3FU));
        out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    }
}

class Reader {
  public:
    Reader(std::string_view text, const std::string& name) : text_(text), name_(name) {
        constexpr std::string_view mark = "\xEF\xBB\xBF";
        text_.remove_prefix(text_.starts_with(mark) ? mark.size() : 0);
    }

    ProtoText message(char end, int depth) {
        ProtoText message;
        message.is_message = true;
        if (depth > deepest) {
            fail("messages are nested too deep");
        }
        for (;;) {
            skip();
            if (done()) {
                if (end != '\0') {
                    fail(fmt::format("'{}' is missing", end));
                }
                return message;
            }
            if (peek() == end) {
                ++at_;
                return message;
            }
            field(message, depth);
            skip();
            if (!done() && (peek() == ';' || peek() == ',')) {
                ++at_;
            }
        }
    }

  private:
    bool done() const { return at_ >= text_.size(); }

    char peek() const { return text_[at_]; }

    // Where the next character stands. Counts on from where it was asked last, so that a file of
    // a million fields is counted through once.
    std::pair<std::size_t, std::size_t> place() {
        for (; counted_ < at_; ++counted_) {
            if (text_[counted_] == '\n') {
                ++line_;
                line_begin_ = counted_ + 1;
            }
        }
        return {line_, at_ - line_begin_ + 1};
    }

    [[noreturn]] void fail(const std::string& what,
                           const std::string& hint = "it is read as protobuf's text format") {
        const auto [line, column] = place();
        throw Error(fmt::format("{}:{}:{}: {}", name_, line, column, what), hint);
    }

    void skip() {
        while (!done()) {
            if (peek() == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (is_space(peek())) {
                ++at_;
            } else {
                return;
            }
        }
    }

    // The one at hand, for a message.
    std::string character() const {
        std::size_t size = 1;
        while (at_ + size < text_.size() &&
               (static_cast<unsigned char>(text_[at_ + size]) & 0xC0U) == 0x80) {
            ++size;
        }
        return printable(text_.substr(at_, size));
    }

    std::string word() {
        const std::size_t begin = at_;
        while (!done() && is_word(peek())) {
            ++at_;
        }
        if (begin == at_) {
            fail(done() ? "it ends too early" : fmt::format("'{}' is not expected", character()));
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    void field(ProtoText& message, int depth) {
        const auto [line, column] = place();
        const std::string name = word();
        skip();
        const bool colon = !done() && peek() == ':';
        if (colon) {
            ++at_;
            skip();
        }
        const auto add = [&, line = line, column = column](ProtoText value) {
            value.name = name;
            value.line = line;
            value.column = column;
            message.fields.push_back(std::move(value));
        };
        if (done() || peek() != '[') {
            add(value(colon, depth));
            return;
        }
        ++at_;
        for (skip(); !done() && peek() != ']'; skip()) {
            add(value(colon, depth));
            skip();
            if (!done() && peek() == ',') {
                ++at_;
            }
        }
        if (done()) {
            fail("']' is missing");
        }
        ++at_;
    }

    ProtoText value(bool colon, int depth) {
        if (!done() && (peek() == '{' || peek() == '<')) {
            const char end = peek() == '{' ? '}' : '>';
            ++at_;
            return message(end, depth + 1);
        }
        if (!colon) {
            fail("':' or '{' is missing");
        }
        ProtoText scalar;
        if (!done() && (peek() == '"' || peek() == '\'')) {
            for (skip(); !done() && (peek() == '"' || peek() == '\''); skip()) {
                quoted(scalar.value);  // several beside each other are one
            }
        } else {
            scalar.value = word();
        }
        return scalar;
    }

    void quoted(std::string& out) {
        const char quote = peek();
        for (++at_;; ++at_) {
            if (done() || peek() == '\n') {
                fail("a string is not closed",
                     "it ends on its own line; several beside each other "
                     "are one");
            }
            if (peek() == quote) {
                ++at_;
                return;
            }
            if (peek() == '\\') {
                ++at_;
                escape(out);
            } else {
                out += peek();
            }
        }
    }

    unsigned number(int base, int most) {
        unsigned value = 0;
        int digits = 0;
        for (; digits < most && at_ + 1 < text_.size() && digit(text_[at_ + 1], base) >= 0;
             ++digits) {
            ++at_;
            value = value * static_cast<unsigned>(base) +
                    static_cast<unsigned>(digit(text_[at_], base));
        }
        if (digits == 0) {
            fail("an escape without digits");
        }
        return value;
    }

    // Leaves at_ on the last character of the escape.
    void escape(std::string& out) {
        if (done()) {
            fail("a string is not closed");
        }
        constexpr std::string_view names = "abfnrtv";
        constexpr std::string_view values = "\a\b\f\n\r\t\v";
        const char c = peek();
        if (const auto found = names.find(c); found != std::string_view::npos) {
            out += values[found];
        } else if (c == 'x' || c == 'X') {
            out += static_cast<char>(number(16, 2));
        } else if (c == 'u' || c == 'U') {
            const unsigned code = number(16, c == 'u' ? 4 : 8);
            if (code > 0x10FFFF) {
                fail("no such character");
            }
            append_utf8(out, code);
        } else if (digit(c, 8) >= 0) {
            --at_;
            out += static_cast<char>(number(8, 3) & 0xFFU);
        } else if (std::string_view("\\'\"?").find(c) != std::string_view::npos) {
            out += c;
        } else {
            fail(fmt::format("'\\{}' is no escape", c));
        }
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0;
    std::size_t counted_ = 0;
    std::size_t line_ = 1;
    std::size_t line_begin_ = 0;
};

// protobuf's JSON, which YAML is read as, takes requestHeaders for request_headers.
std::string field_name(const std::string& json_name) {
    std::string name;
    for (const char c : json_name) {
        if (c >= 'A' && c <= 'Z') {
            name += '_';
            name += static_cast<char>(c - 'A' + 'a');
        } else {
            name += c;
        }
    }
    return name;
}

void add_node(ProtoText& message, const std::string& name, const yaml::File& file,
              const yaml::Node& node) {
    if (node.is_sequence()) {
        for (const auto& item : node.items()) {
            add_node(message, name, file, item);
        }
        return;
    }
    ProtoText& field = message.fields.emplace_back();
    field.name = name;
    const auto position = file.position(node.range().begin);
    field.line = position.line;
    field.column = position.column;
    field.is_message = node.is_mapping();
    field.value = node.text();
    for (const auto& entry : node.effective_entries()) {
        add_node(field, field_name(entry.key.key_text()), file, entry.value);
    }
}

}  // namespace

const ProtoText* ProtoText::find(std::string_view field) const {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const auto& each) { return each.name == field; });
    return found == fields.end() ? nullptr : &*found;
}

std::vector<const ProtoText*> ProtoText::all(std::string_view field) const {
    std::vector<const ProtoText*> found;
    for (const auto& each : fields) {
        if (each.name == field) {
            found.push_back(&each);
        }
    }
    return found;
}

std::string ProtoText::text(std::string_view field) const {
    const auto* found = find(field);
    return found == nullptr ? "" : found->value;
}

ProtoText parse_proto_text(std::string_view text, const std::string& name) {
    return Reader(text, name).message('\0', 0);
}

ProtoText proto_text_of(const yaml::File& file) {
    ProtoText root;
    root.is_message = true;
    for (const auto& entry : file.single().effective_entries()) {
        add_node(root, field_name(entry.key.key_text()), file, entry.value);
    }
    return root;
}

}  // namespace wasmplug::plugintest
