#include "commands/rollout_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/output.hpp"
#include "base/xml.hpp"

namespace wasmplug {
namespace {

using release::WaveState;
using release::WaveStatus;

std::string reason_of(const WaveStatus& wave) {
    return wave.state == WaveState::rolled_back ? wave.bad : wave.record ? wave.record->reason : "";
}

std::string to_mermaid(const StatusResult& result) {
    std::string text = "flowchart LR\n";
    for (std::size_t i = 0; i < result.status.waves.size(); ++i) {
        const auto& wave = result.status.waves[i];
        std::string name = wave.wave->name;
        std::ranges::replace(name, '"', '\'');
        text += fmt::format("  w{}[\"{}<br/>{}<br/>{}\"]\n", i, name, changed_of(wave),
                            release::to_string(wave.state));
        text += i == 0 ? "" : fmt::format("  w{} --> w{}\n", i - 1, i);
    }
    return text;
}

// Dark enough for white text on it.
const char* colour_of(WaveState state) {
    switch (state) {
        case WaveState::passed:
            return "#1a7f37";
        case WaveState::partial:
        case WaveState::changed:
            return "#0969da";
        case WaveState::waiting:
            return "#9a6700";
        case WaveState::failed:
        case WaveState::rolled_back:
            return "#cf222e";
        case WaveState::pending:
            break;
    }
    return "#6e7781";
}

// One box a wave, left to right, as wide as the longest name needs.
std::string to_svg(const StatusResult& result) {
    constexpr std::size_t margin = 16;
    constexpr std::size_t top = 44;
    constexpr std::size_t gap = 36;
    constexpr std::size_t height = 76;
    constexpr std::size_t of_a_letter = 9;  // at 14 px, on the safe side
    const std::string title =
        fmt::format("{}: {}:{}", result.plan->name, result.plan->url, result.plan->to);
    const auto& waves = result.status.waves;
    std::size_t width = 120;
    for (const auto& wave : waves) {
        width = std::max(width, wave.wave->name.size() * of_a_letter + 2 * margin);
    }
    const std::size_t boxes = waves.size() * (width + gap) - gap;
    const std::size_t all = std::max(boxes, title.size() * of_a_letter) + 2 * margin;
    std::string text = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" font-family=\"sans-serif\" font-size=\"14\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
        "<text x=\"{2}\" y=\"28\" fill=\"#1f2328\">{3}</text>\n",
        all, top + height + margin, margin, xml_escaped(title));
    for (std::size_t i = 0; i < waves.size(); ++i) {
        const auto& wave = waves[i];
        const std::size_t x = margin + i * (width + gap);
        const std::size_t middle = x + width / 2;
        if (i > 0) {
            const std::size_t y = top + height / 2;
            text += fmt::format(
                "<path d=\"M{0} {2}H{1}m-7 -5l7 5l-7 5\" fill=\"none\" stroke=\"#1f2328\"/>\n",
                x - gap + 4, x - 4, y);
        }
        text += fmt::format(
            "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" "
            "fill=\"{}\"/>",
            xml_escaped(reason_of(wave).empty() ? std::string(release::to_string(wave.state))
                                                : reason_of(wave)),
            x, top, width, height, colour_of(wave.state));
        std::size_t y = top + 24;
        for (const auto& line :
             {wave.wave->name, changed_of(wave), std::string(release::to_string(wave.state))}) {
            text += fmt::format(
                "<text x=\"{}\" y=\"{}\" fill=\"#ffffff\" text-anchor=\"middle\">{}</text>", middle,
                y, xml_escaped(line));
            y += 20;
        }
        text += "</g>\n";
    }
    return text + "</svg>\n";
}

}  // namespace

std::string changed_of(const WaveStatus& wave) {
    return fmt::format("{} of {}", wave.changed, wave.targets);
}

std::string to_text(const StatusResult& result) {
    Table table{{"WAVE", "CHANGED", "STATE", "REASON"}, {}};
    for (const auto& wave : result.status.waves) {
        table.rows.push_back({wave.wave->name, changed_of(wave),
                              std::string(release::to_string(wave.state)), reason_of(wave)});
    }
    return fmt::format("{}: {}:{}\n", result.plan->name, result.plan->url, result.plan->to) +
           to_text(table);
}

nlohmann::ordered_json to_json(const StatusResult& result) {
    auto waves = nlohmann::ordered_json::array();
    for (const auto& wave : result.status.waves) {
        auto files = nlohmann::ordered_json::array();
        for (const auto& file : wave.files) {
            files.push_back(file.path.string());
        }
        waves.push_back({{"name", wave.wave->name},
                         {"state", release::to_string(wave.state)},
                         {"targets", wave.targets},
                         {"changed", wave.changed},
                         {"reason", reason_of(wave)},
                         {"files", files}});
    }
    return {{"version", 1},          {"plan", result.plan->name},     {"url", result.plan->url},
            {"to", result.plan->to}, {"sha256", result.plan->sha256}, {"waves", waves}};
}

std::string picture_of(const StatusResult& result, const std::string& format) {
    return format == "svg" ? to_svg(result) : to_mermaid(result);
}

std::string to_text(const WrittenPlan& result) {
    return fmt::format("{}: {}:{} in {} waves\n", result.file, result.plan->url, result.plan->to,
                       result.plan->waves.size());
}

nlohmann::ordered_json to_json(const WrittenPlan& result) {
    auto waves = nlohmann::ordered_json::array();
    for (const auto& wave : result.plan->waves) {
        waves.push_back(wave.name);
    }
    return {{"version", 1},
            {"file", result.file},
            {"plan", result.plan->name},
            {"url", result.plan->url},
            {"to", result.plan->to},
            {"waves", waves}};
}

}  // namespace wasmplug
