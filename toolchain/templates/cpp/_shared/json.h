// A strict JSON reader for the plugin's configuration.
#pragma once

#include "support.h"

namespace json {

using proxy_wasm::List;
using proxy_wasm::Maybe;
using proxy_wasm::String;
using proxy_wasm::View;

enum class Kind { null, boolean, number, string, array, object };

struct Value {
  Kind kind = Kind::null;
  bool boolean = false;
  String text;         ///< Of a string; of a number, as it was written.
  List<String> names;  ///< Of an object's members, in the order of `items`.
  List<Value> items;   ///< Of an array or an object.

  /// The member of an object, or null.
  const Value* find(View name) const {
    for (size_t i = 0; i < names.size(); ++i) {
      if (View(names[i]) == name) return &items[i];
    }
    return nullptr;
  }
};

/// Reads one document. Nothing when the text is not JSON, names a member twice or nests deeper
/// than 16 levels.
class Parser {
 public:
  explicit Parser(View text) : text_(text) {}

  Maybe<Value> parse() {
    Value value;
    if (!read(value, 0)) return {};
    skip_space();
    if (at_ != text_.size()) return {};
    return Maybe<Value>(proxy_wasm::move(value));
  }

 private:
  static constexpr int max_depth = 16;

  void skip_space() {
    while (at_ < text_.size() && View(" \t\r\n").contains(text_.part(at_, 1))) ++at_;
  }

  bool eat(View token) {
    if (!text_.part(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  bool read(Value& out, int depth) {
    skip_space();
    if (depth > max_depth || at_ == text_.size()) return false;
    switch (text_[at_]) {
      case '{': return read_object(out, depth);
      case '[': return read_array(out, depth);
      case '"': out.kind = Kind::string; return read_string(out.text);
      case 't': out.kind = Kind::boolean; out.boolean = true; return eat("true");
      case 'f': out.kind = Kind::boolean; return eat("false");
      case 'n': return eat("null");
      default: out.kind = Kind::number; return read_number(out.text);
    }
  }

  bool read_object(Value& out, int depth) {
    out.kind = Kind::object;
    ++at_;
    skip_space();
    if (eat("}")) return true;
    do {
      String name;
      skip_space();
      if (at_ == text_.size() || text_[at_] != '"' || !read_string(name)) return false;
      if (out.find(name)) return false;
      skip_space();
      out.names.push(proxy_wasm::move(name));
      if (!eat(":") || !read(out.items.push(Value()), depth + 1)) return false;
      skip_space();
    } while (eat(","));
    return eat("}");
  }

  bool read_array(Value& out, int depth) {
    out.kind = Kind::array;
    ++at_;
    skip_space();
    if (eat("]")) return true;
    do {
      if (!read(out.items.push(Value()), depth + 1)) return false;
      skip_space();
    } while (eat(","));
    return eat("]");
  }

  size_t eat_digits() {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - from;
  }

  bool read_number(String& out) {
    const size_t start = at_;
    eat("-");
    const bool leading_zero = text_.part(at_).starts_with("0");
    const size_t whole = eat_digits();
    if (whole == 0 || (whole > 1 && leading_zero)) return false;
    if (eat(".") && eat_digits() == 0) return false;
    if (eat("e") || eat("E")) {
      if (!eat("+")) eat("-");
      if (eat_digits() == 0) return false;
    }
    out = String(text_.part(start, at_ - start));
    return true;
  }

  bool read_hex4(uint32_t& out) {
    if (text_.size() - at_ < 4) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      const size_t digit = View("0123456789abcdef").find(String().append(proxy_wasm::lower(text_[at_++])));
      if (digit == View::npos) return false;
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  bool read_escape(String& out) {
    const View names = "\"\\/bfnrt";
    const View values = "\"\\/\b\f\n\r\t";
    const View escaped = text_.part(at_, 1);
    if (escaped.empty()) return false;
    ++at_;
    if (const size_t i = names.find(escaped); i != View::npos) {
      out.append(values[i]);
      return true;
    }
    uint32_t code = 0;
    uint32_t low = 0;
    if (escaped[0] != 'u' || !read_hex4(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      if (!eat("\\u") || !read_hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      return false;
    }
    append_utf8(out, code);
    return true;
  }

  static void append_utf8(String& out, uint32_t code) {
    const auto byte = [&out](uint32_t value) { out.append(static_cast<char>(value)); };
    if (code < 0x80) return byte(code);
    if (code >= 0x10000) {
      byte(0xF0 | code >> 18);
      byte(0x80 | (code >> 12 & 63));
    } else if (code >= 0x800) {
      byte(0xE0 | code >> 12);
    }
    byte(code >= 0x800 ? 0x80 | (code >> 6 & 63) : 0xC0 | code >> 6);
    byte(0x80 | (code & 63));
  }

  bool read_string(String& out) {
    for (++at_; at_ < text_.size();) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out.append(c);
      } else if (!read_escape(out)) {
        return false;
      }
    }
    return false;
  }

  View text_;
  size_t at_ = 0;
};

inline Maybe<Value> parse(View text) { return Parser(text).parse(); }

}  // namespace json
