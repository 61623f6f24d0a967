#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/xml.hpp"
#include "host/load.hpp"
#include "host/page.hpp"

namespace wasmplug::host {
namespace {

struct Point {
    double x;  // 0 to 1
    double y;
};

struct Series {
    const char* colour;  // a class of the page's style
    std::vector<Point> points;
};

struct Tick {
    double x;
    std::string text;
};

constexpr double width = 760;
constexpr double height = 260;
constexpr double left = 90;
constexpr double right = 32;
constexpr double bottom = 24;
constexpr double top = 10;

// A round number of at least `value`, whose quarters are round too.
double rounded_up(double value) {
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0}) {
        if (value <= step * power) {
            return step * power;
        }
    }
    return 10 * power;
}

std::string chart(const std::string& what, const std::vector<Series>& all,
                  const std::vector<Tick>& ticks) {
    double most = 0;
    for (const auto& series : all) {
        for (const auto& point : series.points) {
            most = std::max(most, point.y);
        }
    }
    if (most <= 0) {
        return {};
    }
    const double ceiling = rounded_up(most);
    const auto x = [](double part) {
        return left + part * (width - left - right);
    };
    const auto y = [&](double value) {
        return top + (1 - value / ceiling) * (height - top - bottom);
    };
    std::string svg =
        fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                    width, height, what);
    for (int i = 0; i <= 4; ++i) {
        const double value = ceiling * i / 4;
        svg += fmt::format(
            "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{}\" y=\"{:.1f}\" "
            "text-anchor=\"end\">{:.4g} ms</text>\n",
            left, width - right, y(value), y(value), left - 6, y(value) + 4, value);
    }
    for (const auto& tick : ticks) {
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                           x(tick.x), height - 6, tick.text);
    }
    for (const auto& series : all) {
        std::string line;
        std::string dots;
        for (const auto& point : series.points) {
            line += fmt::format("{:.1f},{:.1f} ", x(point.x), y(point.y));
            dots += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"/>",
                                series.colour, x(point.x), y(point.y));
        }
        svg += fmt::format("<polyline class=\"{}\" points=\"{}\"/>{}\n", series.colour, line, dots);
    }
    return svg + "</svg>\n";
}

// Equal room for each nine: what is slow is in the last of them.
double in_nines(double part) {
    return -std::log10(1 - part) / 3;
}

Series curve(const char* colour, const LoadFigures& figures) {
    Series series{colour, {}};
    for (std::size_t i = 0; i < figures.curve_ms.size(); ++i) {
        series.points.push_back({in_nines(curve_parts()[i]), figures.curve_ms[i]});
    }
    return series;
}

double place_of(std::size_t i, std::size_t count) {
    return count < 2 ? 0.5 : static_cast<double>(i) / static_cast<double>(count - 1);
}

Series medians(const char* colour, const LoadFigures& figures) {
    Series series{colour, {}};
    const auto& all = figures.round_p50_ms;
    for (std::size_t i = 0; i < all.size(); ++i) {
        series.points.push_back({place_of(i, all.size()), all[i]});
    }
    return series;
}

std::string row(const char* colour, const std::string& name, const LoadFigures& figures,
                const std::optional<double>& cpu_us) {
    std::string html = fmt::format(
        "<tr><td style=\"border-left:.4rem solid var(--{})\">{}</td><td "
        "data-of=\"Requests\">{}</td>"
        "<td data-of=\"Failed\"{}>{}</td><td data-of=\"p50\">{}</td><td data-of=\"p90\">{}</td>"
        "<td data-of=\"p99\">{}</td><td data-of=\"Rate\">{:.0f}/s</td>",
        colour, xml_escaped(name), figures.requests, figures.failed > 0 ? " class=\"bad\"" : "",
        figures.failed, shown_ms(figures.p50_ms), shown_ms(figures.p90_ms),
        shown_ms(figures.p99_ms), figures.rate);
    if (cpu_us) {
        html += fmt::format("<td data-of=\"CPU a request\">{:.1f} µs</td>", *cpu_us);
    }
    return html + "</tr>\n";
}

std::string figures_table(const LoadComparison& each) {
    std::string html =
        "<div class=\"scroll\"><table>\n<tr><th>Endpoint</th><th>Requests</th><th>Failed</th>"
        "<th>p50</th><th>p90</th><th>p99</th><th>Rate</th>";
    html += each.subject_cpu_us ? "<th>CPU a request</th></tr>\n" : "</tr>\n";
    html += row("now", each.subject_name, each.subject, each.subject_cpu_us);
    if (each.baseline) {
        html += row("old", each.baseline_name, *each.baseline, each.baseline_cpu_us);
    }
    html += "</table></div>\n";
    for (const auto* figures : {&each.subject, each.baseline ? &*each.baseline : nullptr}) {
        if (figures != nullptr && !figures->error.empty()) {
            html += fmt::format("<p class=\"bad\">{}</p>\n", xml_escaped(figures->error));
        }
    }
    return html;
}

std::string differences_table(const LoadComparison& each) {
    if (each.differences.empty()) {
        return {};
    }
    std::string html =
        "<h2>Difference</h2>\n<div class=\"scroll\"><table>\n<tr><th>Percentile</th><th>ms</th>"
        "<th>%</th><th>95 % interval, ms</th><th>95 % interval, %</th></tr>\n";
    for (const auto& one : each.differences) {
        html += fmt::format(
            "<tr><td>{}</td><td data-of=\"ms\">{:+.3f}</td><td data-of=\"%\">{:+.1f}</td>"
            "<td data-of=\"95 % interval, ms\">{:+.3f} to {:+.3f}</td>"
            "<td data-of=\"95 % interval, %\">{:+.1f} to {:+.1f}</td></tr>\n",
            one.figure, one.ms, one.percent, one.low_ms, one.high_ms, one.low_percent,
            one.high_percent);
    }
    return html + "</table></div>\n";
}

std::string charts(const LoadComparison& each) {
    std::vector<Series> latency{curve("now", each.subject)};
    std::vector<Series> rounds{medians("now", each.subject)};
    if (each.baseline) {
        latency.push_back(curve("old", *each.baseline));
        rounds.push_back(medians("old", *each.baseline));
    }
    const std::vector<Tick> nines{{in_nines(0), "0"},
                                  {in_nines(0.5), "50 %"},
                                  {in_nines(0.9), "90 %"},
                                  {in_nines(0.99), "99 %"},
                                  {in_nines(0.999), "99.9 %"}};
    std::string html = "<h2>Latency by percentile</h2>\n" + chart("latency", latency, nines);
    const std::size_t count = each.subject.round_p50_ms.size();
    if (count > 1) {
        html += "<h2>Median of each round</h2>\n" +
                chart("medians", rounds, {{0, "1"}, {1, std::to_string(count)}});
    }
    return html;
}

}  // namespace

std::string load_page(const std::vector<LoadComparison>& comparisons,
                      const std::vector<std::string>& over) {
    std::string html =
        "<p>Measured by wasmplug, in turns; times are from a request's start to "
        "its last byte, as the client sees it.</p>\n";
    if (!over.empty()) {
        html += "<h2 class=\"bad\">Over the baseline</h2>\n<ul class=\"bad\">\n";
        for (const auto& reason : over) {
            html += fmt::format("<li>{}</li>\n", xml_escaped(reason));
        }
        html += "</ul>\n";
    }
    for (const auto& each : comparisons) {
        if (!each.name.empty()) {
            html += fmt::format("<h2>{}<br/><small>{}</small></h2>\n", xml_escaped(each.name),
                                xml_escaped(each.file));
        }
        html += figures_table(each) + differences_table(each) + charts(each);
    }
    return page("Latency of a request", html);
}

}  // namespace wasmplug::host
