#pragma once

#include <yaml.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <string_view>

#include "base/yaml.hpp"

// libyaml in C++. For base/yaml_reader.cpp only.
namespace wasmplug::yaml {

// libyaml counts code points; we count bytes. Its marks hardly ever go back, so that one cursor
// serves a whole file.
class Cursor {
  public:
    Cursor(std::string_view text, std::size_t start) : text_(text), byte_(start), start_(start) {
        ascii_ = std::all_of(text.begin(), text.end(),
                             [](char c) { return static_cast<signed char>(c) >= 0; });
    }

    std::size_t byte(std::size_t index) {
        if (ascii_) {
            return std::min(start_ + index, text_.size());
        }
        while (index_ < index && byte_ < text_.size()) {
            ++byte_;
            while (byte_ < text_.size() && continues(text_[byte_])) {
                ++byte_;
            }
            ++index_;
        }
        while (index_ > index) {
            --byte_;
            while (continues(text_[byte_])) {
                --byte_;
            }
            --index_;
        }
        return byte_;
    }

  private:
    static bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

    std::string_view text_;
    std::size_t byte_;
    std::size_t index_ = 0;
    std::size_t start_;
    bool ascii_;
};

struct Event : yaml_event_t {
    Event() : yaml_event_t{} {}

    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    ~Event() { yaml_event_delete(this); }
};

struct Parser : yaml_parser_t {
    Parser() : yaml_parser_t{} {
        if (yaml_parser_initialize(this) == 0) {
            throw std::bad_alloc();
        }
    }

    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    ~Parser() { yaml_parser_delete(this); }
};

inline std::string_view text_of(const yaml_char_t* text) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libyaml's own character type
    return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

inline Style style_of(yaml_scalar_style_t style) {
    switch (style) {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE:
            return Style::single_quoted;
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
            return Style::double_quoted;
        case YAML_LITERAL_SCALAR_STYLE:
            return Style::literal;
        case YAML_FOLDED_SCALAR_STYLE:
            return Style::folded;
        default:
            return Style::plain;
    }
}

}  // namespace wasmplug::yaml
