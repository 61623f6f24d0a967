#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

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
                           : std::string(1, c);
    }
    return html;
}

// 12,345 or 0.42: what a person can take in.
std::string shown(double value) {
    if (value != 0 && value < 100 && value > -100) {
        return fmt::format("{:.2f}", value);
    }
    std::string digits = fmt::format("{:.0f}", value);
    for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

struct Title {
    const char* name;
    const char* text;
    const char* unit;
};

constexpr Title titles[] = {
    {"instructions", "Instructions", "a request"},
    {"host_calls", "Host calls", "a request"},
    {"boundary_bytes", "Bytes between host and plugin", "a request"},
    {"memory_peak", "Memory, peak", "bytes"},
    {"memory_growth_per_1k", "Memory growth", "bytes in 1,000 requests"},
    {"load_ms", "Load", "ms, interpreter"},
    {"interpreter_us", "Time", "µs a request, interpreter: not Envoy's"},
};

constexpr const char* style = R"(
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6570;--line:#dfe3e8;--now:#2563c9;--old:#a9b4c2;--bad:#b3261e;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--line:#343b44;--now:#6ea8fe;--old:#566273;--bad:#f2877f;--paper:#15181c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .25rem}
p,small{color:var(--soft)}.bad{color:var(--bad)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.35rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:10rem}
.bar{display:grid;grid-template-columns:minmax(7rem,14rem) 1fr 7rem;gap:.2rem .8rem;align-items:center;margin:.35rem 0}
.bar span{overflow-wrap:anywhere}.bar b{font-weight:500;text-align:right;font-variant-numeric:tabular-nums}
.track i{display:block;height:.7rem;border-radius:2px;background:var(--now);min-width:1px}
.track i.old{background:var(--old);margin-top:2px;height:.4rem}
)";

const BenchFigures* same_in(const std::vector<BenchFigures>& baseline, const BenchFigures& now) {
    const auto found = std::find_if(baseline.begin(), baseline.end(), [&](const auto& each) {
        return each.file == now.file && each.name == now.name && each.failure.empty();
    });
    return found == baseline.end() ? nullptr : &*found;
}

std::string table(const std::vector<BenchFigures>& figures) {
    std::string html = "<div class=scroll><table><tr><th>Exchange";
    for (const auto& title : titles) {
        html += fmt::format("<th>{}<br><small>{}</small>", title.text, title.unit);
    }
    for (const auto& each : figures) {
        html += fmt::format("\n<tr><td>{}<br><small>{}</small>", escaped(each.name),
                            escaped(each.file));
        if (!each.failure.empty()) {
            html += fmt::format("<td colspan=7 class=bad>{}", escaped(each.failure));
            continue;
        }
        for (const auto& title : titles) {
            html += "<td>" + shown(*figure(each, title.name));
        }
    }
    return html + "</table></div>\n";
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
        html += fmt::format(
            "<div class=bar><span>{}</span><div class=track><i style=\"width:{:.2f}%\"></i>",
            escaped(each.name), std::max(0.0, value) / widest * 100);
        if (const auto* old = same_in(baseline, each)) {
            html += fmt::format("<i class=old style=\"width:{:.2f}%\" title=\"baseline {}\"></i>",
                                std::max(0.0, *figure(*old, title.name)) / widest * 100,
                                shown(*figure(*old, title.name)));
        }
        html += fmt::format("</div><b>{}</b></div>\n", shown(value));
    }
    return html;
}

}  // namespace

std::string bench_page(const std::vector<BenchFigures>& figures,
                       const std::vector<BenchFigures>& baseline,
                       const std::vector<BenchVerdict>& verdicts) {
    std::string html = fmt::format(
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<meta name=viewport "
        "content=\"width=device-width,initial-scale=1\">\n<title>Cost of a request</title>\n"
        "<style>{}</style>\n<h1>Cost of a request</h1>\n<p>In the embedded host of wasmplug. "
        "Instructions, calls, bytes and memory are the same on every machine; times are an "
        "interpreter's and say nothing of Envoy.{}</p>\n",
        style, baseline.empty() ? "" : " The thin bar below each is the baseline.");
    for (const auto& verdict : verdicts) {
        html +=
            fmt::format("<p class=bad>{}: {}</p>\n", escaped(verdict.name), escaped(verdict.text));
    }
    html += table(figures);
    for (const auto& title : titles) {
        html += bars(title, figures, baseline);
    }
    return html;
}

}  // namespace wasmplug::host
