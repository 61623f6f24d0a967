// The formats for CI systems, with text in them that somebody else wrote.
#include "base/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

namespace wasmplug {
namespace {

// A NUL, an escape sequence, CDATA's end, markup, line breaks, a workflow command, bytes that are
// no UTF-8, and a code point that XML cannot say.
const std::string hostile = std::string("a\0b", 3) +
                            "\x1b[31m ]]> <x y=\"z\">&amp;\r\n::error::no\n# TODO\nnot ok 7\t" +
                            "\xff\xfe \xc0\xaf \xed\xa0\x80 \xEF\xBF\xBF | %0A end";

Report report_of(const std::string& text) {
    ReportFinding finding{.rule = "WP001",
                          .level = Level::error,
                          .message = text,
                          .fix = text,
                          .place = {text, 3, 5, 3, 9}};
    Report report{.tool_version = "1", .rules = {}, .cases = {}};
    report.rules.push_back({.id = "WP001", .text = text, .help = text, .level = Level::error});
    report.cases.push_back({.suite = text,
                            .type = text,
                            .name = text,
                            .outcome = ReportCase::Outcome::failed,
                            .detail = text,
                            .findings = {finding}});
    report.cases.push_back({.suite = text,
                            .type = text,
                            .name = text,
                            .outcome = ReportCase::Outcome::skipped,
                            .detail = text,
                            .findings = {}});
    return report;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

void expect_readable(const std::string& text) {
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t';
    })) << text;
    // nlohmann-json refuses what is no UTF-8.
    EXPECT_NO_THROW(nlohmann::json(text).dump()) << text;
}

TEST(HostileText, LeavesJUnitWellFormed) {
    const auto xml = write_report(ReportFormat::junit, report_of(hostile));
    expect_readable(xml);
    EXPECT_EQ(xml.find("]]>"), std::string::npos);
    EXPECT_EQ(xml.find("\xEF\xBF\xBF"), std::string::npos);
    EXPECT_EQ(xml.find("<x"), std::string::npos);
    EXPECT_NE(xml.find("a\\x00b\\x1b[31m ]]&gt; &lt;x y=&quot;z&quot;&gt;&amp;amp;"),
              std::string::npos)
        << xml;
}

TEST(HostileText, LeavesTapOneLineATest) {
    const auto tap = write_report(ReportFormat::tap, report_of(hostile));
    expect_readable(tap);
    std::size_t points = 0;
    for (const auto& line : lines_of(tap)) {
        const bool point = line.starts_with("ok ") || line.starts_with("not ok ");
        points += point ? 1U : 0U;
        EXPECT_TRUE(point || line.starts_with("#") || line == "TAP version 13" || line == "1..2")
            << line;
    }
    EXPECT_EQ(points, 2U);
}

TEST(HostileText, StartsNoWorkflowCommandOfItsOwn) {
    const auto text = write_report(ReportFormat::github, report_of(hostile));
    expect_readable(text);
    ASSERT_EQ(lines_of(text).size(), 1U) << text;
    EXPECT_TRUE(text.starts_with("::error file=")) << text;
    EXPECT_NE(text.find("%250A end"), std::string::npos) << text;
    expect_readable(github_summary(report_of(hostile)));
}

TEST(HostileText, LeavesJsonReadable) {
    for (const auto format : {ReportFormat::sarif, ReportFormat::gitlab}) {
        const auto text = write_report(format, report_of(hostile));
        expect_readable(text);
        EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    }
}

}  // namespace
}  // namespace wasmplug
