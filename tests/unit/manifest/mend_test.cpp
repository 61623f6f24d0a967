#include "manifest/mend.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "manifest/metrics_check.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::vector<DocumentResult> judge(const yaml::File& file) {
    std::vector<DocumentResult> results;
    for (const auto& checked : validate(file, {})) {
        results.push_back(summarize(checked));
        finish(results.back());
    }
    return results;
}

MendResult mend_text(const std::string& text) {
    return mend(yaml::File::parse(text, "plugin.yaml"), judge);
}

std::string plugin(const std::string& spec) {
    return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
           "  name: auth\n  namespace: prod\nspec:\n" +
           spec;
}

// One line that is wrong, and what it becomes.
struct Line {
    const char* wrong;
    const char* right;
};

class MendsOneLine : public testing::TestWithParam<Line> {};

TEST_P(MendsOneLine, AndNothingElse) {
    const std::string before = "  # first\n  url: oci://ghcr.io/acme/auth:1.0.0   # image\n";
    const std::string after = "  # last\n  verificationKey: \"\"\n";
    const auto result = mend_text(plugin(before + GetParam().wrong + "\n" + after));
    EXPECT_EQ(result.text, plugin(before + GetParam().right + "\n" + after));
    EXPECT_EQ(result.mended.size(), std::string(GetParam().wrong) == GetParam().right ? 0U : 1U);
    EXPECT_TRUE(result.refused.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Of, MendsOneLine,
    testing::Values(
        Line{"  phase: UNSPECIFIED  # default", "  phase: UNSPECIFIED_PHASE  # default"},
        Line{"  phase: authn", "  phase: AUTHN"}, Line{"  phase: 'Stats'", "  phase: 'STATS'"},
        Line{"  failStrategy: fail-open", "  failStrategy: FAIL_OPEN"},
        Line{"  imagePullPolicy: ALWAYS", "  imagePullPolicy: Always"},
        Line{"  imagePullPolicy: if_not_present", "  imagePullPolicy: IfNotPresent"},
        Line{"  priority: \"10\"  # early", "  priority: 10  # early"},
        Line{"  selector: {labels: {app: shop}}", "  selector: {matchLabels: {app: shop}}"},
        Line{"  selector: {matchLabels: {version: 1.10}}",
             "  selector: {matchLabels: {version: \"1.10\"}}"},
        Line{"  selector: {matchLabels: {canary: yes}}",
             "  selector: {matchLabels: {canary: \"yes\"}}"},
        Line{"  plugin_name: root", "  pluginName: root"},
        Line{"  PluginName: root", "  pluginName: root"},
        Line{"  rootID: root", "  pluginName: root"},
        Line{"  config: {a: 1}", "  pluginConfig: {a: 1}"},
        Line{"  sha256: sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
             "  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        Line{"  match: [{ports: [{number: '80'}]}]", "  match: [{ports: [{number: 80}]}]"},
        Line{"  match: [{mode: SERVER}, null]", "  match: [{mode: SERVER}]"},
        Line{"  match: {mode: SERVER}  # all", "  match: [{mode: SERVER}]  # all"},
        Line{"  match:\n    # of services\n    mode: SERVER  # in\n    ports:\n    - number: 80",
             "  match:\n    # of services\n  - mode: SERVER  # in\n    ports:\n    - number: 80"},
        Line{"  match:\n      mode: SERVER", "  match:\n    - mode: SERVER"},
        Line{"  priority: 3  # a\n  priority: 3  # b", "  priority: 3  # a"},
        Line{"  pluginConfig: {a: [1], b: 2, a: [1]}", "  pluginConfig: {a: [1], b: 2}"},
        Line{"  pluginConfig:\n    a: {x: 1}\n    b: 2\n    a:\n      x: 1\n    a: {\"x\": 1}",
             "  pluginConfig:\n    a: {x: 1}\n    b: 2"},
        Line{"  priority: 3\n  priority: 4", "  priority: 3\n  priority: 4"},
        // No single answer.
        Line{"  match: [{mode: NONE}]", "  match: [{mode: NONE}]"},
        Line{"  match: [{mode: SERVR}]", "  match: [{mode: SERVR}]"},
        Line{"  sha256: a1b2c3", "  sha256: a1b2c3"}, Line{"  priority: high", "  priority: high"},
        Line{"  priority: '010'", "  priority: '010'"},
        Line{"  imagePullPolicy: Never", "  imagePullPolicy: Never"},
        Line{"  config: text", "  config: text"},
        Line{"  fialStrategy: FAIL_OPEN", "  fialStrategy: FAIL_OPEN"}));

class MendsAUrl : public testing::TestWithParam<Line> {};

TEST_P(MendsAUrl, WhoseMeaningIsPlain) {
    const auto result = mend_text(plugin(fmt::format("  url: {}\n", GetParam().wrong)));
    EXPECT_EQ(result.text, plugin(fmt::format("  url: {}\n", GetParam().right)));
}

INSTANTIATE_TEST_SUITE_P(
    Of, MendsAUrl,
    testing::Values(Line{"ghcr.io:443/acme/auth:1", "oci://ghcr.io:443/acme/auth:1"},
                    Line{"docker://ghcr.io/acme/auth:1", "oci://ghcr.io/acme/auth:1"},
                    Line{"oci//ghcr.io/acme/auth:1", "oci://ghcr.io/acme/auth:1"},
                    Line{"docker//ghcr.io/acme/auth:1", "oci://ghcr.io/acme/auth:1"},
                    Line{"/opt/auth.wasm", "file:///opt/auth.wasm"},
                    Line{"file:/opt/auth.wasm", "file:///opt/auth.wasm"},
                    Line{"\"oci://ghcr.io/acme/auth:1?x=y\"", "\"oci://ghcr.io/acme/auth:1\""},
                    Line{"file://opt/auth.wasm", "file://opt/auth.wasm"},
                    Line{"auth:1", "auth:1"},  // no registry is named
                    Line{"ftp://ghcr.io/auth.wasm", "ftp://ghcr.io/auth.wasm"}));

TEST(Mend, SpellsWhatTheDocumentIs) {
    const auto result = mend_text(
        "apiVersion: extensions.istio.io/v1beta1 # new\nkind: Wasmplugin\n"
        "metadata: {name: a, namespace: b}\nspec: {url: 'oci://ghcr.io/acme/auth:1', phase: "
        "authn}\n"
        "---\nkind: WasmPlugin\nmetadata: {name: c, namespace: b, labels: {on: 1}}\n"
        "spec: {url: 'oci://ghcr.io/acme/auth:1'}\n");
    EXPECT_EQ(result.text,
              "apiVersion: extensions.istio.io/v1alpha1 # new\nkind: WasmPlugin\n"
              "metadata: {name: a, namespace: b}\n"
              "spec: {url: 'oci://ghcr.io/acme/auth:1', phase: AUTHN}\n"
              "---\nkind: WasmPlugin\napiVersion: extensions.istio.io/v1alpha1\n"
              "metadata: {name: c, namespace: b, labels: {on: \"1\"}}\n"
              "spec: {url: 'oci://ghcr.io/acme/auth:1'}\n");
    EXPECT_EQ(result.mended.size(), 5U);
}

TEST(Mend, KnowsOurKindsInAnyCase) {
    const std::string rest =
        "\nmetadata: {name: a, namespace: b}\nspec: {url: 'oci://ghcr.io/acme/auth:1'}\n";
    const std::string head = "apiVersion: extensions.istio.io/v1alpha1\nkind: ";
    for (const char* kind : {"WASMPLUGIN", "wasm-plugin", "Wasm_Plugin", "wasmplugin"}) {
        EXPECT_EQ(mend_text(head + kind + rest).text, head + "WasmPlugin" + rest) << kind;
    }
    for (const char* kind : {"WasmPlugins", "WasmFilter", "Wasm"}) {
        EXPECT_EQ(mend_text(head + kind + rest).text, head + kind + rest) << kind;
    }
    EXPECT_EQ(mend_text("APIVERSION: v1\n" + head + "WasmPlugin" + rest).mended.size(), 0U)
        << "the name is taken";
    EXPECT_EQ(mend_text(head + "WasmPlugin\nMETADATA: {name: a}\n").text,
              head + "WasmPlugin\nmetadata: {name: a}\n");
}

TEST(Mend, LeavesWhatACommentSilences) {
    const auto text = plugin(
        "  url: oci://ghcr.io/acme/auth:1\n  phase: authn  # wasmplug:ignore WP007 old CRD\n");
    EXPECT_EQ(mend_text(text).text, text);
}

std::string rules(const std::string& expressions) {
    return "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\n"
           "spec:\n  groups:\n  - name: wasm\n    rules:\n" +
           expressions;
}

TEST(Mend, RenamesMetricsThatHaveAnotherName) {
    const auto judged = [](const yaml::File& file) {
        std::vector<DocumentResult> results;
        for (auto& checked : validate(file, {})) {
            check_metrics(checked);
            results.push_back(summarize(checked));
            finish(results.back());
        }
        return results;
    };
    const auto mended = [&](const std::string& text) {
        return mend(yaml::File::parse(text, "rules.yaml"), judged).text;
    };
    EXPECT_EQ(
        mended(rules("    - alert: A\n"
                     "      expr: rate(envoy_wasm_created_total[5m]) > 1  # VMs\n"
                     "    - alert: B\n      expr: |\n"
                     "        increase(istio_agent_wasm_remote_fetch_count_total{result!=\"\"}"
                     "[5m])\n          / envoy_wasm_failed_total > 0\n")),
        rules("    - alert: A\n"
              "      expr: rate(envoy_wasm_envoy_wasm_runtime_v8_created[5m]) > 1  # VMs\n"
              "    - alert: B\n      expr: |\n"
              "        increase(istio_agent_wasm_remote_fetch_count{result!=\"\"}"
              "[5m])\n          / envoy_wasm_failed_total > 0\n"))
        << "envoy_wasm_failed_total has no one successor";
    const auto half = rules("    - expr: envoy_wasm_failed_total / envoy_wasm_created_total > 0\n");
    const auto report = mend(yaml::File::parse(half, "rules.yaml"), judged).mended;
    ASSERT_EQ(report.size(), 1U);
    EXPECT_NE(report[0].finding.message.find("envoy_wasm_created_total"), std::string::npos)
        << report[0].finding.message;
    const auto kept = rules("    - expr: '{__name__=~\"envoy_wasm_created_total.*\"}'\n");
    EXPECT_EQ(mended(kept), kept);
}

TEST(Mend, FindsItsWayThroughAList) {
    const std::string head =
        "apiVersion: v1\nkind: List\nitems:\n- kind: Service\n  apiVersion: v1\n"
        "- apiVersion: extensions.istio.io/v1alpha1\n  kind: WasmPlugin\n"
        "  metadata: {name: a, namespace: b}\n  spec:\n    url: oci://ghcr.io/acme/auth:1\n";
    EXPECT_EQ(mend_text(head + "    priority: '3'\n").text, head + "    priority: 3\n");
}

TEST(Mend, RefusesWhereTheTextGivesNoSafeWay) {
    const auto narrow = plugin("  url: oci://ghcr.io/acme/auth:1\n  match:\n   mode: SERVER\n");
    EXPECT_EQ(mend_text(narrow).text, narrow);
    ASSERT_EQ(mend_text(narrow).refused.size(), 1U);
    EXPECT_NE(mend_text(narrow).refused[0].find("no room"), std::string::npos);
    const auto taken =
        mend_text(plugin("  url: oci://ghcr.io/acme/auth:1\n  plugin_name: a\n  pluginName: b\n"));
    EXPECT_TRUE(taken.mended.empty());
    ASSERT_EQ(taken.refused.size(), 1U);
    EXPECT_NE(taken.refused[0].find("plugin.yaml:9:3"), std::string::npos) << taken.refused[0];
    const auto rendered = plugin("  url: {{ .Values.url }}\n  phase: authn\n");
    EXPECT_EQ(mend_text(rendered).text, rendered);
}

// --- over all recorded manifests -----------------------------------------------------------

struct Sample {
    std::string name;
    std::string text;
};

std::vector<Sample> samples() {
    std::vector<Sample> all;
    for (fs::path folder = WASMPLUG_SOURCE_DIR; folder != folder.parent_path();
         folder = folder.parent_path()) {
        const auto data = folder / "shared" / "data" / "manifests";
        if (!fs::is_directory(data)) {
            continue;
        }
        for (const auto& file : find_files(data / "real", [](const fs::path&) { return true; })) {
            all.push_back({file.filename().string(), read_file(file)});
        }
        for (const char* name :
             {"designed_cases.json", "istio_unit_cases.json", "trafficextension_cases.json"}) {
            const auto cases = parse_json(read_file(data / name), name);
            std::size_t number = 0;
            for (const auto& one : cases) {
                const auto spec = one.value("spec", one.value("manifest", ordered_json()));
                const ordered_json object = {
                    {"apiVersion", "extensions.istio.io/v1alpha1"},
                    {"kind", one.at("kind")},
                    {"metadata", one.value("metadata", ordered_json{{"name", "sample"}})},
                    {"spec", spec}};
                all.push_back({fmt::format("{}[{}]", name, number++), pretty_json(object)});
            }
        }
        break;
    }
    return all;
}

using Said = std::tuple<std::size_t, std::size_t, std::string, std::string>;

// Rule and place; lines move when entries come and go.
std::set<Said> said_of(const std::vector<DocumentResult>& results) {
    std::set<Said> said;
    for (const auto& document : results) {
        for (const auto& finding : document.findings) {
            said.emplace(document.index, document.item.value_or(0), finding.rule->id, finding.path);
        }
    }
    return said;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines(1);
    for (const char c : text) {
        lines.back() += c;
        if (c == '\n') {
            lines.emplace_back();
        }
    }
    return lines;
}

// Lines of `before` that are not in `after`, in order, both taken as they stand.
std::size_t lines_lost(const std::string& before, const std::string& after) {
    const auto a = lines_of(before);
    const auto b = lines_of(after);
    std::vector<std::size_t> row(b.size() + 1, 0);
    for (const auto& line : a) {
        std::size_t diagonal = 0;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto above = row[j + 1];
            row[j + 1] = line == b[j] ? diagonal + 1 : std::max(above, row[j]);
            diagonal = above;
        }
    }
    return a.size() - row[b.size()];
}

TEST(Mend, LeavesNoFindingWithOneAnswerAndMakesNoneElsewhere) {
    const auto all = samples();
    if (all.empty()) {
        GTEST_SKIP() << "the recorded manifests are not beside this tree";
    }
    std::size_t mended = 0;
    std::map<std::string, std::size_t> by_rule;
    for (const auto& sample : all) {
        SCOPED_TRACE(sample.name);
        const auto file = yaml::File::parse(sample.text, sample.name);
        const auto before = judge(file);
        const auto result = mend(file, judge);
        mended += result.mended.size();
        const auto after = judge(yaml::File::parse(result.text, sample.name));
        const auto said = said_of(after);
        std::set<std::string> places;
        for (const auto& one : result.mended) {
            ++by_rule[std::string(one.finding.rule->id)];
            places.insert(one.finding.path);
            const bool same_place_is_left = std::ranges::any_of(after, [&](const auto& document) {
                return document.index == one.document &&
                       std::ranges::any_of(document.findings, [&](const Diagnostic& finding) {
                           return finding.rule == one.finding.rule &&
                                  finding.path == one.finding.path && finding.right;
                       });
            });
            EXPECT_FALSE(same_place_is_left) << one.finding.rule->id << " " << one.finding.path;
        }
        const auto known = said_of(before);
        for (const auto& document : before) {
            if (!document.judged) {
                places.insert("");  // read for the first time: whatever is said now was so before
            }
        }
        for (const auto& [index, item, rule, path] : said) {
            const bool new_here = !known.contains({index, item, rule, path});
            const bool explained =
                std::ranges::any_of(places, [&, &path = path](const std::string& place) {
                    const auto parent = place.substr(0, place.rfind('.') + 1);
                    return place.empty() || (path + ".").starts_with(parent);
                });
            EXPECT_TRUE(!new_here || explained) << rule << " at " << path;
        }
        std::size_t lines = 0;
        for (const auto& one : result.mended) {
            // The last item of a list takes the lines of its brackets along.
            lines += one.finding.rule->mending == Mending::removal ? 3 : 1;
        }
        EXPECT_LE(lines_lost(sample.text, result.text), lines);
        if (result.mended.empty()) {
            EXPECT_EQ(result.text, sample.text);
        }
        EXPECT_EQ(mend(yaml::File::parse(result.text, sample.name), judge).text, result.text);
    }
    EXPECT_GT(mended, 20U);
    for (const auto& [rule, count] : by_rule) {
        RecordProperty(rule, static_cast<int>(count));
    }
}

}  // namespace
}  // namespace wasmplug::manifest
