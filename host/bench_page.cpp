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
#include "host/bench.hpp"

namespace wasmplug::host {
namespace {

std::string escaped(const std::string& text) {
    std::string html;
    for (const char c : text) {
        html += c == '&'   ? "&amp;"
                : c == '<' ? "&lt;"
                : c == '>' ? "&gt;"
                : c == '"' ? "&quot;"
                : static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'
                    ? " "
                    : std::string(1, c);
    }
    return html;
}

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

constexpr const char* style = R"(
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6570;--line:#dfe3e8;--now:#2563c9;--old:#a9b4c2;--bad:#b3261e;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--line:#343b44;--now:#6ea8fe;--old:#566273;--bad:#f2877f;--paper:#15181c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .25rem}
p,small{color:var(--soft)}.bad{color:var(--bad)}ul{padding-left:1.2rem}li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;line-height:1.25}td{white-space:nowrap}
th:first-child,td:first-child,td.bad{text-align:left;white-space:normal}
th:first-child,td:first-child{min-width:9rem;overflow-wrap:anywhere}
.bar{display:grid;grid-template-columns:minmax(7rem,16rem) 1fr 8rem;gap:.2rem .8rem;align-items:center;margin:.35rem 0}
.bar span{overflow-wrap:anywhere;line-height:1.3}.bar b{font-weight:500;text-align:right;font-variant-numeric:tabular-nums;line-height:1.2}
.bar b small{display:block}
.track i{display:block;height:.7rem;border-radius:2px;background:var(--now);min-width:1px}
.track i.old{background:var(--old);margin-top:2px;height:.4rem}
@media(max-width:40rem){.bar{grid-template-columns:1fr auto}.bar span{grid-column:1/-1}}
)";

const BenchFigures* same_in(const std::vector<BenchFigures>& baseline, const BenchFigures& now) {
    const auto found = std::find_if(baseline.begin(), baseline.end(), [&](const auto& each) {
        return each.file == now.file && each.name == now.name && each.failure.empty();
    });
    return found == baseline.end() ? nullptr : &*found;
}

std::string table(const std::vector<BenchFigures>& figures) {
    std::string html = "<div class=\"scroll\"><table>\n<tr><th>Exchange</th>";
    for (const auto& title : titles) {
        html += fmt::format("<th>{}<br/><small>{}</small></th>", title.text, title.unit);
    }
    html += "</tr>\n";
    for (const auto& each : figures) {
        html += fmt::format("<tr><td>{}<br/><small>{}</small></td>", escaped(each.name),
                            escaped(each.file));
        if (!each.failure.empty()) {
            html += fmt::format("<td colspan=\"{}\" class=\"bad\">{}</td></tr>\n",
                                std::size(titles), escaped(first_line(each.failure)));
            continue;
        }
        for (const auto& title : titles) {
            html += "<td>" + shown(title, *figure(each, title.name)) + "</td>";
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
            escaped(each.name), bar("", value), was ? bar(" class=\"old\"", *was) : "",
            value_text(title, value, was));
    }
    return html;
}

}  // namespace

std::string bench_page(const std::vector<BenchFigures>& figures,
                       const std::vector<BenchFigures>& baseline,
                       const std::vector<BenchVerdict>& verdicts) {
    std::string html = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n<meta "
        "name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<title>Cost of a "
        "request</title>\n<style>{}</style></head>\n<body><h1>Cost of a request</h1>\n<p>In the "
        "embedded host of wasmplug. Instructions, calls, bytes and memory are the same on every "
        "machine; times are an interpreter's and say nothing of Envoy.{}</p>\n",
        style, baseline.empty() ? "" : " The thin bar below each is the baseline.");
    if (!verdicts.empty()) {
        html += "<h2 class=\"bad\">Over budget or baseline</h2>\n<ul class=\"bad\">\n";
        for (const auto& verdict : verdicts) {
            html += fmt::format("<li>{}: {}</li>\n", escaped(verdict.name),
                                escaped(first_line(verdict.text)));
        }
        html += "</ul>\n";
    }
    html += table(figures);
    for (const auto& title : titles) {
        html += bars(title, figures, baseline);
    }
    return html + "</body></html>\n";
}

}  // namespace wasmplug::host
