#include "base/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/terminal.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug {
namespace {

// A line of a file and the mark below it stand under each other only without a label before them.
std::string on_own_lines(std::string_view hint) {
    return (hint.find('\n') == std::string_view::npos ? "" : "\n") + std::string(hint);
}

}  // namespace

std::string paint(std::string_view sgr, std::string_view text, bool on) {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", sgr, text) : std::string(text);
}

void Output::print_document(const nlohmann::ordered_json& value, Format format) {
    print(format == Format::yaml ? yaml::write(value) : pretty_json(value));
}

void Output::print(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    clear_progress();
    out_ << text;
    if (!text.empty() && text.back() != '\n') {
        out_ << '\n';
    }
    out_.flush();
    if (!out_) {
        throw Error("cannot write to standard output");
    }
}

void Output::clear_progress() {
    if (progress_shown_) {
        err_ << "\r\x1b[K" << std::flush;
        progress_shown_ = false;
    }
}

void Output::line(std::string_view label, std::string_view colour, std::string_view message) {
    const std::scoped_lock lock(mutex_);
    clear_progress();
    err_ << paint(colour, fmt::format("{}:", label), style_.colour)
         << (message.starts_with('\n') ? "" : " ") << printable(message) << '\n';
    err_.flush();
}

void Output::note(std::string_view message) {
    if (!style_.quiet) {
        line("note", "36", message);
    }
}

void Output::warn(std::string_view message, std::string_view hint) {
    line("warning", "33", message);
    if (!hint.empty()) {
        line(" hint", "36", on_own_lines(hint));
    }
}

void Output::error(const Error& error) {
    line("error", "1;31", error.full_message());
    if (!error.hint().empty()) {
        line(" hint", "36", on_own_lines(error.hint()));
    }
}

void Output::verbose(std::string_view message) {
    if (style_.verbosity > 0) {
        line("debug", "2", message);
    }
}

void Output::step(std::string_view message) {
    if (style_.quiet) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    clear_progress();
    err_ << paint("32", "✓", style_.colour) << ' ' << printable(message) << '\n';
    err_.flush();
}

void Output::progress(std::string_view message) {
    if (!style_.progress || style_.quiet) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    clear_progress();
    if (!message.empty()) {
        err_ << '\r' << elide_middle(printable(message), style_.width - 1) << "\x1b[K"
             << std::flush;
        progress_shown_ = true;
    }
}

void Output::stream(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    clear_progress();
    err_ << text << std::flush;
}

std::string to_text(const Table& table) {
    std::vector<std::size_t> widths;
    const auto measure = [&](const std::vector<std::string>& row) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i]));
        }
    };
    measure(table.header);
    for (const auto& row : table.rows) {
        measure(row);
    }
    std::string out;
    const auto add = [&](const std::vector<std::string>& row) {
        std::string text;
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            text.append(widths[i] - display_width(row[i]) + 2, ' ');
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + '\n';
    };
    if (!table.header.empty()) {
        add(table.header);
    }
    for (const auto& row : table.rows) {
        add(row);
    }
    return out;
}

std::string format_size(std::uint64_t bytes) {
    if (bytes < 1024) {
        return fmt::format("{} B", bytes);
    }
    constexpr std::array units{"KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace wasmplug
