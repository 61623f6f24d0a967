#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace wasmplug {

class Error;

enum class Format { text, json, yaml };

// Results go to stdout, once, in the format asked for; everything a person reads while
// waiting (progress, notes, warnings, errors) goes to stderr. Safe to use from several threads.
class Output {
  public:
    struct Style {
        Format format = Format::text;
        bool colour = false;         // on stderr
        bool result_colour = false;  // on stdout
        bool quiet = false;
        bool progress = false;  // stderr is a terminal that may be overprinted
        int verbosity = 0;
        std::size_t width = 80;
    };

    Output(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

    void set_style(Style style) { style_ = style; }

    const Style& style() const { return style_; }

    Format format() const { return style_.format; }

    // `Result` offers to_text(const Result&) and to_json(const Result&) beside it. A result
    // whose text wants colour or the width offers to_text(const Result&, const Output::Style&).
    template <class Result>
    void show(const Result& result) {
        show(result, style_.format);
    }

    template <class Result>
    void show(const Result& result, Format format) {
        if (format != Format::text) {
            print_document(to_json(result), format);
        } else if constexpr (requires { to_text(result, style_); }) {
            print(to_text(result, style_));
        } else {
            print(to_text(result));
        }
    }

    // A result that is text in every format (a manifest, a diff, a completion script); streams.
    // An empty text prints nothing, and a missing last newline is added.
    void print(std::string_view text);

    void note(std::string_view message);
    void warn(std::string_view message, std::string_view hint = {});
    void error(const Error& error);
    void verbose(std::string_view message);  // only with -v

    // A finished step of a longer work: "✓ built plugin.wasm (1.2 s)". Not with -q.
    void step(std::string_view message);

    // The overprinted line; an empty message takes it away. Nothing without a terminal.
    void progress(std::string_view message);

    // Raw text to stderr: compiler output, plugin logs.
    void stream(std::string_view text);

  private:
    void print_document(const nlohmann::ordered_json& value, Format format);
    void line(std::string_view label, std::string_view colour, std::string_view message);
    void clear_progress();

    std::ostream& out_;
    std::ostream& err_;
    Style style_;
    std::mutex mutex_;
    bool progress_shown_ = false;
};

// Columns aligned by their widest cell, two spaces between, no trailing spaces.
struct Table {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
};

std::string to_text(const Table& table);

// "812 B", "1.2 KiB", "3.4 MiB": what people read; JSON carries the number of bytes.
std::string format_size(std::uint64_t bytes);

// Wraps in an SGR sequence when `on`: paint("31", "error", style.colour).
std::string paint(std::string_view sgr, std::string_view text, bool on);

}  // namespace wasmplug
