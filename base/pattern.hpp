#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace wasmplug {

// A regular expression of ECMA-262, as JSON Schema writes them, in the part of it that RE2 can
// match: in linear time whatever the text, with bounded memory. Look-around, back references and
// repetitions over 1000 are outside.
class Pattern {
  public:
    // Never throws: what cannot be read says so.
    explicit Pattern(std::string_view text);
    Pattern(Pattern&&) noexcept;
    ~Pattern();

    enum class Reading {
        good,
        beyond,  // may well be an expression, but not one of ours
        wrong,   // none in any dialect: an open group, a repetition of nothing
    };

    Reading reading() const { return reading_; }

    const std::string& problem() const { return problem_; }  // unless it is good

    // Anywhere in the text, which is UTF-8. Only of a good one.
    bool found_in(std::string_view text) const;

    // How many instructions it became: a match takes at most this many steps a character.
    std::uint64_t size() const;

  private:
    struct Compiled;
    std::unique_ptr<Compiled> compiled_;
    Reading reading_ = Reading::good;
    std::string problem_;
};

}  // namespace wasmplug
