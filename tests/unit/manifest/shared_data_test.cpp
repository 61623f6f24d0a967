// Verdicts that Istio's own code and the API server's own validation gave, layer by layer. The
// data lie beside the repository; where they are not, these suites say so and skip.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "manifest/result.hpp"
#include "tests/support/api_cases.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

#define NEED_SHARED_DATA(name)                                            \
    const auto name = test::shared_manifests();                           \
    if (!name) {                                                          \
        GTEST_SKIP() << "the recorded verdicts are not beside this tree"; \
    }

std::vector<Checked> judge(const std::string& text, const std::string& name) {
    return validate(yaml::File::parse(text, name), {});
}

Verdict worst(const Checked& checked, std::initializer_list<Layer> layers) {
    auto verdict = Verdict::ok;
    for (const auto layer : layers) {
        verdict = std::max(verdict, checked.verdict(layer));
    }
    return verdict;
}

Verdict verdict_named(const std::string& name) {
    return name == "error"                       ? Verdict::error
           : name == "warn" || name == "warning" ? Verdict::warning
                                                 : Verdict::ok;
}

std::string all_messages(const Checked& checked) {
    std::string text;
    for (const auto& finding : checked.findings) {
        text += std::string(to_string(finding.layer)) + " " + std::string(finding.rule->id) + ": " +
                finding.message + "\n";
    }
    return text;
}

// Each part that the server separated by " | " stands in one of our messages of these layers.
void expect_facts(const Checked& checked, std::initializer_list<Layer> layers,
                  const std::string& recorded, const std::string& name) {
    std::size_t begin = 0;
    while (begin < recorded.size()) {
        const auto end = std::min(recorded.find(" | ", begin), recorded.size());
        auto fact = recorded.substr(begin, end - begin);
        begin = end + 3;
        if (fact.starts_with("<nil>:")) {
            continue;  // "some validation rules were not checked": we check them
        }
        if (fact.ends_with("...")) {
            fact.resize(fact.size() - 3);
        }
        const bool said = std::any_of(
            checked.findings.begin(), checked.findings.end(), [&](const Finding& finding) {
                return std::find(layers.begin(), layers.end(), finding.layer) != layers.end() &&
                       finding.message.find(fact) != std::string::npos;
            });
        EXPECT_TRUE(said) << name << ": nobody says \"" << fact << "\" but\n"
                          << all_messages(checked);
    }
}

// Of every file of cases there is, by their shape: those that somebody adds are found.
std::vector<ordered_json> cases_with(const fs::path& data, const char* key) {
    std::vector<ordered_json> cases;
    for (const auto& file : find_files(data, [&](const fs::path& path) {
             return path.parent_path() == data && path.extension() == ".json";
         })) {
        for (auto& item : ordered_json::parse(read_file(file))) {
            if (item.contains(key)) {
                cases.push_back(std::move(item));
            }
        }
    }
    return cases;
}

void check_cases(const std::vector<ordered_json>& cases) {
    for (auto item : cases) {
        const auto name = item["id"].get<std::string>();
        const auto all = judge(test::manifest_text(item), name);
        ASSERT_EQ(all.size(), 1U) << name;
        const auto& checked = all.front();
        const auto crd = item["crd"].get<std::string>();
        EXPECT_EQ(worst(checked, {Layer::api_server, Layer::strict}), verdict_named(crd))
            << name << "\n"
            << all_messages(checked);
        EXPECT_EQ(checked.verdict(Layer::webhook),
                  verdict_named(item["webhook"].get<std::string>()))
            << name << "\n"
            << all_messages(checked);
        expect_facts(checked, {Layer::api_server, Layer::strict},
                     item["crd_message"].get<std::string>(), name);
        expect_facts(checked, {Layer::webhook}, item["webhook_message"].get<std::string>(), name);
        const auto advice = item["suggest_lint"].get<std::string>();
        if (item["verdict"] == "ok" && advice.empty()) {
            EXPECT_EQ(checked.verdict(Layer::runtime), Verdict::ok) << name << "\n"
                                                                    << all_messages(checked);
        } else if (item["verdict"] != "error" && !advice.empty()) {
            EXPECT_NE(checked.verdict(Layer::runtime) == Verdict::ok &&
                          checked.verdict(Layer::webhook) == Verdict::ok,
                      true)
                << name << " (" << advice << ")\n"
                << all_messages(checked);
        }
    }
}

TEST(SharedData, DesignedCasesGetTheRecordedVerdictOfEachLayer) {
    NEED_SHARED_DATA(data);
    const auto cases = cases_with(*data, "crd");
    EXPECT_GT(cases.size(), 60U);
    check_cases(cases);
}

TEST(SharedData, CasesOfIstiosOwnTestsGetItsVerdict) {
    NEED_SHARED_DATA(data);
    const auto cases = cases_with(*data, "expect");
    EXPECT_GT(cases.size(), 50U);
    for (auto item : cases) {
        const auto name = item["name"].get<std::string>();
        if (item["message"] == "cannot cast") {
            continue;  // a test of Go's types, which no YAML can say
        }
        const auto all = judge(test::manifest_text(item), name);
        ASSERT_EQ(all.size(), 1U) << name;
        const auto& checked = all.front();
        const bool webhook = item["layer"] == "webhook";
        const auto verdict = webhook ? checked.verdict(Layer::webhook)
                                     : worst(checked, {Layer::api_server, Layer::strict});
        EXPECT_EQ(verdict, verdict_named(item["expect"].get<std::string>()))
            << name << "\n"
            << all_messages(checked);
        const auto message = item["message"].get<std::string>();
        if (webhook) {
            expect_facts(checked, {Layer::webhook}, message, name);
        } else {
            expect_facts(checked, {Layer::api_server, Layer::strict}, message, name);
        }
    }
}

struct Row {
    std::string doc;
    std::string gvk;
    std::string verdict;
    std::string layers;
    std::string reason;
};

std::map<std::string, std::vector<Row>> read_index(const fs::path& file) {
    std::map<std::string, std::vector<Row>> rows;
    std::istringstream lines(read_file(file));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::vector<std::string> cells(1);
        for (const char c : line) {
            if (c == '\t') {
                cells.emplace_back();
            } else {
                cells.back() += c;
            }
        }
        rows[cells[0]].push_back({cells[1], cells[2], cells[4], cells[5], cells[6]});
    }
    return rows;
}

bool has(const std::string& layers, const std::string& layer) {
    return ('+' + layers + '+').find('+' + layer + '+') != std::string::npos;
}

void check_row(const Row& row, const Checked& checked, const std::string& name) {
    if (row.verdict == "skip") {
        EXPECT_EQ(checked.verdict(), Verdict::skipped) << name << "\n" << all_messages(checked);
        return;
    }
    const bool unreadable =
        row.layers == "template" || row.layers == "yaml" || row.layers == "identity";
    const bool api = unreadable || has(row.layers, "crd") || has(row.layers, "cel") ||
                     has(row.layers, "apiserver");
    EXPECT_EQ(checked.verdict(Layer::api_server), api ? Verdict::error : Verdict::ok)
        << name << "\n"
        << all_messages(checked);
    EXPECT_EQ(checked.verdict(Layer::strict),
              has(row.layers, "strict") ? Verdict::error : Verdict::ok)
        << name << "\n"
        << all_messages(checked);
    // The webhook's warning where fields are lost is told in the reason only.
    const bool refuses =
        row.verdict == "error" && (has(row.layers, "webhook") || has(row.layers, "proto"));
    const bool warns =
        row.verdict == "warn" || row.reason.find("webhook warning") != std::string::npos;
    if (!unreadable && refuses) {
        EXPECT_EQ(checked.verdict(Layer::webhook), Verdict::error) << name << "\n"
                                                                   << all_messages(checked);
    } else if (!unreadable) {
        EXPECT_EQ(checked.verdict(Layer::webhook), warns ? Verdict::warning : Verdict::ok)
            << name << "\n"
            << all_messages(checked);
    }
}

TEST(SharedData, RealFilesGetTheRecordedVerdictOfEachLayer) {
    NEED_SHARED_DATA(data);
    const auto index = read_index(*data / "real" / "index-layers.tsv");
    for (const auto& file : find_files(
             *data / "real", [](const fs::path& path) { return path.extension() == ".yaml"; })) {
        EXPECT_TRUE(index.contains(file.stem().string())) << file << " has no recorded verdict";
    }
    for (const auto& [number, rows] : index) {
        const auto all = validate(yaml::File::read(*data / "real" / (number + ".yaml")), {});
        ASSERT_EQ(all.size(), rows.size()) << number;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            check_row(rows[i], all[i], number + " document " + rows[i].doc);
        }
    }
}

}  // namespace
}  // namespace wasmplug::manifest
