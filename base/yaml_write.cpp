#include "base/yaml_write.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace wasmplug::yaml {
namespace {

using Json = nlohmann::ordered_json;

bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// Numbers, dates and times in any of the notations of YAML 1.1 and 1.2, and then some: version
// numbers look better in quotes than turn into floats.
bool looks_numeric(std::string_view text) {
    if (!is_one_of(text.front(), "0123456789+-.")) {
        return false;
    }
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_one_of(c, "0123456789abcdefABCDEFxXoO_:.+-TtZz "); });
}

bool is_plain_everywhere(std::string_view text) {
    return !is_one_of(text.front(), "-?:,[]{}#&*!|>'\"%@` ") && text.back() != ' ' &&
           text.back() != ':' && text.find(": ") == std::string_view::npos &&
           text.find(" #") == std::string_view::npos &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Code points that JSON may hold as they are and YAML may not, or takes for line breaks.
bool needs_escape(std::string_view sequence) {
    return sequence == "\x7F" || sequence == "\xE2\x80\xA8" || sequence == "\xE2\x80\xA9" ||
           sequence == "\xEF\xBB\xBF" || sequence == "\xEF\xBF\xBE" || sequence == "\xEF\xBF\xBF" ||
           (sequence.size() == 2 && sequence[0] == '\xC2' &&
            static_cast<unsigned char>(sequence[1]) < 0xA0);
}

// The escapes of JSON are escapes of YAML too.
std::string double_quoted(const std::string& text) {
    const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string quoted;
    for (std::size_t at = 0; at < json.size();) {
        const auto lead = static_cast<unsigned char>(json[at]);
        const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        const std::string sequence = json.substr(at, size);
        quoted +=
            needs_escape(sequence) ? Json(sequence).dump(-1, ' ', true).substr(1, 6) : sequence;
        at += size;
    }
    return quoted;
}

bool has_escapes(const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const std::size_t size : {1U, 2U, 3U}) {
            if (needs_escape(std::string_view(text).substr(at, size))) {
                return true;
            }
        }
    }
    return false;
}

std::string string_text(const std::string& text, Style style, Context context) {
    const bool one_line = std::none_of(text.begin(), text.end(), is_control);
    const bool escapes = !one_line || has_escapes(text);
    if (style == Style::single_quoted && !escapes) {
        std::string quoted = "'";
        for (const char c : text) {
            quoted += c == '\'' ? "''" : std::string(1, c);
        }
        return quoted + "'";
    }
    if (style == Style::double_quoted || style == Style::single_quoted || escapes ||
        needs_quotes(text) ||
        (context == Context::flow && text.find_first_of(",[]{}?") != std::string::npos)) {
        return double_quoted(text);
    }
    return text;
}

bool fits_literal(const std::string& text) {
    return text.find('\n') != std::string::npos &&
           text.find_first_not_of(" \n") != std::string::npos && !has_escapes(text) &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return is_control(c) && c != '\n'; });
}

class Writer {
  public:
    explicit Writer(const WriteOptions& options) : options_(options) {}

    std::string flow(const Json& value) const {
        std::string text;
        if (value.is_object()) {
            for (const auto& [key, item] : value.items()) {
                text += (text.empty() ? "" : ", ") + string_text(key, Style::plain, Context::flow) +
                        ": " + flow(item);
            }
            return "{" + text + "}";
        }
        if (value.is_array()) {
            for (const auto& item : value) {
                text += (text.empty() ? "" : ", ") + flow(item);
            }
            return "[" + text + "]";
        }
        return write_scalar(value, Style::plain, Context::flow);
    }

    // Whole lines, each beginning with `indent` spaces.
    std::string block(const Json& value, const Path& path, std::size_t indent) const {
        std::string text;
        const std::string margin(indent, ' ');
        if (value.is_object()) {
            for (const auto& [key, item] : value.items()) {
                const Path here = path / key;
                const std::string name = string_text(key, Style::plain, Context::block);
                // A simple key ends within 1024 characters.
                const bool is_long = name.size() > 1000;
                text += comments(here, margin) + margin;
                text += is_long ? "? " + name + "\n" + margin + ":" : name + ":";
                text += is_nested(item) ? "\n" + block(item, here, indent + options_.indent)
                                        : " " + leaf(item, indent + options_.indent);
            }
            return text;
        }
        std::size_t index = 0;
        for (const auto& item : value) {
            const Path here = path / index++;
            text += comments(here, margin) + margin + "-";
            if (!is_nested(item)) {
                text += " " + leaf(item, indent + 2);
                continue;
            }
            // Its first line goes beside the dash.
            const std::string nested = block(item, here, indent + 2);
            text += nested.find_first_not_of(' ') == nested.find('#') ? "\n" + nested
                                                                      : nested.substr(indent + 1);
        }
        return text;
    }

  private:
    static bool is_nested(const Json& value) { return value.is_structured() && !value.empty(); }

    std::string leaf(const Json& value, std::size_t indent) const {
        if (!value.is_string() || !fits_literal(value.get_ref<const std::string&>())) {
            return flow_or_scalar(value) + "\n";
        }
        const auto& text = value.get_ref<const std::string&>();
        std::string literal = "|";
        if (is_one_of(text.front(), " \n")) {
            literal += std::to_string(options_.indent);
        }
        literal += !text.ends_with('\n') ? "-" : text.ends_with("\n\n") ? "+" : "";
        literal += "\n";
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            literal +=
                (end > at ? std::string(indent, ' ') : "") + text.substr(at, end - at) + "\n";
            at = end + 1;
        }
        return literal;
    }

    std::string flow_or_scalar(const Json& value) const {
        return value.is_structured() ? flow(value) : write_scalar(value);
    }

    std::string comments(const Path& path, const std::string& margin) const {
        std::string text;
        for (const auto& [where, comment] : options_.comments) {
            for (std::size_t at = 0; where == path && at <= comment.size();) {
                const std::size_t end = std::min(comment.find('\n', at), comment.size());
                text += margin + (end > at ? "# " : "#") + comment.substr(at, end - at) + "\n";
                at = end + 1;
            }
        }
        return text;
    }

    const WriteOptions& options_;
};

}  // namespace

bool needs_quotes(std::string_view text) {
    if (text.empty() || text == "=" || text == "<<" || plain_type(text) != Type::string) {
        return true;
    }
    return text.starts_with("---") || text.starts_with("...") || looks_numeric(text) ||
           text.find("{{") != std::string_view::npos || !is_plain_everywhere(text);
}

std::string write_unquoted(const std::string& text, Context context) {
    const bool is_simple = !text.empty() && text.back() != ':' &&
                           !is_one_of(text.front(), "-:@.+/_") &&
                           text.find_first_not_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_./:@+-") == std::string::npos;
    return is_simple && context != Context::json && plain_type(text) == Type::string
               ? text
               : write_scalar(text, Style::plain, context);
}

std::string write(const nlohmann::ordered_json& value, const WriteOptions& options) {
    const Writer writer(options);
    if (options.layout == Style::flow || !value.is_structured() || value.empty()) {
        return writer.flow(value);
    }
    return writer.block(value, {}, 0);
}

std::string write_scalar(const nlohmann::ordered_json& value, Style style, Context context) {
    if (value.is_string() && context != Context::json) {
        return string_text(value.get_ref<const std::string&>(), style, context);
    }
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace wasmplug::yaml
