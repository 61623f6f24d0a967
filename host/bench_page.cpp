#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/output.hpp"
#include "base/xml.hpp"
#include "host/bench.hpp"
#include "host/page.hpp"

namespace wasmplug::host {
namespace {

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

struct Title {
    const char* name;
    const char* text;
    const char* unit;
};

constexpr Title titles[] = {
    {"instructions", "Instructions", "a request"},
    {"host_calls", "Host calls", "a request"},
    {"boundary_bytes", "Bytes across the boundary", "a request"},
    {"memory_peak", "Memory, peak", ""},
    {"memory_growth_per_1k", "Memory growth", "bytes in 1,000 requests"},
    {"load_ms", "Load", "ms, interpreter"},
    {"interpreter_us", "Time", "µs a request, interpreter: not Envoy's"},
};

// 12,345 or 0.42 or 128.0 KiB: what a person can take in.
std::string shown(const Title& title, double value) {
    if (std::string_view(title.name) == "memory_peak") {
        return format_size(static_cast<std::uint64_t>(std::max(0.0, value)));
    }
    if (value != std::round(value) && value < 100 && value > -100) {
        return fmt::format("{:.2f}", value);
    }
    std::string digits = fmt::format("{:.0f}", value);
    for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string table(const std::vector<BenchFigures>& figures) {
    std::string html = "<div class=\"scroll\"><table>\n<tr><th>Exchange</th>";
    for (const auto& title : titles) {
        html += fmt::format("<th>{}<br/><small>{}</small></th>", title.text, title.unit);
    }
    html += "</tr>\n";
    for (const auto& each : figures) {
        html += fmt::format("<tr><td>{}<br/><small>{}</small></td>", xml_escaped(each.name),
                            xml_escaped(each.file));
        if (!each.failure.empty()) {
            html += fmt::format("<td colspan=\"{}\" class=\"bad\">{}</td></tr>\n",
                                std::size(titles), xml_escaped(first_line(each.failure)));
            continue;
        }
        for (const auto& title : titles) {
            html += fmt::format("<td data-of=\"{}\">{}</td>", title.text,
                                shown(title, *figure(each, title.name)));
        }
        html += "</tr>\n";
    }
    return html + "</table></div>\n";
}

// Beside the bar: the value, and what became of it since the baseline.
std::string value_text(const Title& title, double value, const std::optional<double>& was) {
    if (!was) {
        return shown(title, value);
    }
    const std::string change =
        *was > 0 ? fmt::format("{:+.1f} %", (value / *was - 1) * 100) : "was " + shown(title, *was);
    return fmt::format("{}<small>{}</small>", shown(title, value),
                       value == *was ? "as before" : change);
}

std::string bars(const Title& title, const std::vector<BenchFigures>& figures,
                 const std::vector<BenchFigures>& baseline) {
    double widest = 0;
    for (const auto& each : figures) {
        widest = std::max(widest, *figure(each, title.name));
        if (const auto* old = same_in(baseline, each)) {
            widest = std::max(widest, *figure(*old, title.name));
        }
    }
    if (widest <= 0) {
        return {};
    }
    std::string html = fmt::format("<h2>{}</h2><small>{}</small>\n", title.text, title.unit);
    for (const auto& each : figures) {
        if (!each.failure.empty()) {
            continue;
        }
        const double value = *figure(each, title.name);
        std::optional<double> was;
        if (const auto* old = same_in(baseline, each)) {
            was = figure(*old, title.name);
        }
        const auto bar = [&](const char* kind, double length) {
            return fmt::format("<i{} style=\"width:{:.2f}%\"></i>", kind,
                               std::max(0.0, length) / widest * 100);
        };
        html += fmt::format(
            "<div class=\"bar\"><span>{}</span><div class=\"track\">{}{}</div><b>{}</b></div>\n",
            xml_escaped(each.name), bar("", value), was ? bar(" class=\"old\"", *was) : "",
            value_text(title, value, was));
    }
    return html;
}

}  // namespace

std::string bench_page(const std::vector<BenchFigures>& figures,
                       const std::vector<BenchFigures>& baseline,
                       const std::vector<BenchVerdict>& verdicts) {
    std::string html = fmt::format(
        "<p>In the embedded host of wasmplug. Instructions, calls, bytes and memory are the same "
        "on every machine; times are an interpreter's and say nothing of Envoy.{}</p>\n",
        baseline.empty() ? "" : " The thin bar below each is the baseline.");
    if (!verdicts.empty()) {
        html += "<h2 class=\"bad\">Over budget or baseline</h2>\n<ul class=\"bad\">\n";
        for (const auto& verdict : verdicts) {
            html += fmt::format("<li>{}: {}</li>\n", xml_escaped(verdict.name),
                                xml_escaped(first_line(verdict.text)));
        }
        html += "</ul>\n";
    }
    html += table(figures);
    for (const auto& title : titles) {
        html += bars(title, figures, baseline);
    }
    return page("Cost of a request", html);
}

}  // namespace wasmplug::host
