#include "manifest/rules.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "manifest/advice.hpp"
#include "manifest/fields.hpp"
#include "manifest/overlap.hpp"
#include "manifest/policy.hpp"
#include "manifest/result.hpp"

namespace wasmplug::manifest {
namespace {

// With a digest, a selector and a namespace nothing is left to say.
const std::string clean =
    "apiVersion: extensions.istio.io/v1alpha1\n"
    "kind: WasmPlugin\n"
    "metadata:\n"
    "  name: auth\n"
    "  namespace: prod\n"
    "spec:\n"
    "  selector:\n"
    "    matchLabels:\n"
    "      app: shop\n"
    "  url: oci://registry.internal/acme/auth:1.0.0\n"
    "  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

std::string with(std::string text, const std::string& old_text, const std::string& new_text) {
    const auto at = text.find(old_text);
    EXPECT_NE(at, std::string::npos) << old_text;
    return text.replace(at, old_text.size(), new_text);
}

DocumentResult judge(const std::string& text, const ValidateSettings& settings = {}) {
    auto all = validate(yaml::File::parse(text, "plugin.yaml"), settings);
    EXPECT_EQ(all.size(), 1U);
    auto result = summarize(all.front());
    finish(result);
    return result;
}

const Diagnostic* find(const DocumentResult& result, std::string_view rule) {
    for (const auto& finding : result.findings) {
        if (finding.rule->id == rule) {
            return &finding;
        }
    }
    return nullptr;
}

TEST(Rules, HaveIdsInOrderAndSayWhatToDo) {
    std::string last;
    for (const auto& rule : rules()) {
        EXPECT_LT(last, rule.id);
        last = rule.id;
        EXPECT_FALSE(rule.text.empty()) << rule.id;
        EXPECT_FALSE(rule.fix.empty()) << rule.id;
        EXPECT_FALSE(rule.source.empty()) << rule.id;
        EXPECT_EQ(find_rule(rule.id), &rule);
    }
    EXPECT_EQ(find_rule("wp12"), find_rule("WP012"));
    EXPECT_EQ(find_rule("WP999"), nullptr);
    EXPECT_EQ(find_rule(""), nullptr);
}

TEST(Validate, SaysNothingOfACleanManifest) {
    const auto result = judge(clean);
    EXPECT_EQ(result.verdict(), Verdict::ok);
    EXPECT_TRUE(result.findings.empty());
}

TEST(Validate, ContradictsCommentsThatHaveTheOrderWrong) {
    const auto said = [](const std::string& lines) {
        const auto result = judge(clean + lines);
        return find(result, "WP208") != nullptr || find(result, "WP209") != nullptr;
    };
    EXPECT_TRUE(said("  priority: 10  # lower priority runs first\n"));
    EXPECT_TRUE(said("  # a smaller number\n  # runs earlier\n  priority: 10\n"));
    EXPECT_FALSE(said("  # higher runs first, lower later\n  priority: 10\n"));
    EXPECT_FALSE(said("  # lower runs first\n  pluginName: a\n  priority: 10\n"));
    EXPECT_TRUE(said("  phase: STATS  # runs last\n"));
    EXPECT_TRUE(said("  # This runs first.\n  phase: AUTHN\n"));
    EXPECT_FALSE(said("  phase: AUTHZ  # runs last\n"));
    EXPECT_FALSE(said("  phase: STATS  # before the router\n"));
}

TEST(Validate, KnowsCommandsThatDoNotDoWhatGuidesSay) {
    const auto advised = [](const std::string& text) {
        auto all = validate(yaml::File::parse(text, "x.yaml"), {});
        EXPECT_EQ(all.size(), 1U);
        check_advice(all.front());
        const auto result = summarize(all.front());
        const auto* finding = find(result, "WP304");
        return finding == nullptr ? 0U : finding->begin.line;
    };
    EXPECT_EQ(advised(clean + "  # istioctl proxy-config wasm POD\n"), 12U);
    const std::string job =
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  back.sh: |\n    kubectl patch wasmplugin auth ";
    EXPECT_EQ(advised(job + "--type merge -p '{}'\n"), 5U);
    EXPECT_EQ(advised(job + "--type json -p '[]'\n"), 0U);
    EXPECT_EQ(advised("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: istioctl pc ecds POD\n"), 0U);
}

TEST(Validate, PointsAtTheValueInTheRightDocument) {
    const auto text = "# first\n---\nkind: Service\napiVersion: v1\n---\n" +
                      with(clean, "  sha256: 0123", "  sha256: zz23");
    const auto all = validate(yaml::File::parse(text, "plugin.yaml"), {});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].verdict(), Verdict::skipped);
    const auto result = summarize(all[1]);
    const auto* finding = find(result, "WP012");
    ASSERT_NE(finding, nullptr);
    EXPECT_EQ(finding->begin, (yaml::Position{16, 11}));
    EXPECT_EQ(finding->end, (yaml::Position{16, 75}));
    EXPECT_EQ(finding->path, "spec.sha256");
}

TEST(Validate, TakesItemsOfAListAsObjects) {
    std::string list = "apiVersion: v1\nkind: List\nitems:\n- ";
    for (const char c : with(clean, "  sha256", "  phase: EARLY\n  sha256")) {
        list += c;
        if (c == '\n') {
            list += "  ";
        }
    }
    const auto result = judge(list);
    ASSERT_NE(find(result, "WP007"), nullptr);
    EXPECT_EQ(find(result, "WP007")->path, "spec.phase");
    EXPECT_EQ(result.item, 0U);
}

TEST(Validate, ReadsOnAfterADocumentThatIsNoYaml) {
    const auto text = "kind: WasmPlugin\n  bad: [\n---\n" + clean;
    const auto all = validate(yaml::File::parse(text, "plugin.yaml"), {});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].verdict(), Verdict::error);
    EXPECT_EQ(all[1].verdict(), Verdict::ok);
    EXPECT_EQ(summarize(all[1]).line, 4U);
}

TEST(Validate, KnowsWhatEachReleaseHas) {
    ValidateSettings settings;
    settings.releases = {istio::release_for("istio-1.19")};
    const auto old = judge(with(clean, "  sha256", "  type: HTTP\n  sha256"), settings);
    ASSERT_NE(find(old, "WP020"), nullptr);
    EXPECT_EQ(find(old, "WP020")->layer, Layer::strict);
    settings.releases = {istio::release_for("istio-1.26"), istio::release_for("istio-1.27")};
    const auto both =
        judge(with(clean, "  sha256", "  failStrategy: FAIL_RELOAD\n  sha256"), settings);
    ASSERT_NE(find(both, "WP020"), nullptr);
    settings.releases = {istio::release_for("istio-1.27")};
    EXPECT_EQ(
        judge(with(clean, "  sha256", "  failStrategy: FAIL_RELOAD\n  sha256"), settings).verdict(),
        Verdict::ok);
}

TEST(Validate, CallsUnknownFieldsWarningsForLenientClients) {
    ValidateSettings settings;
    settings.strict = false;
    const auto result = judge(with(clean, "  sha256", "  pullPolicy: Always\n  sha256"), settings);
    EXPECT_EQ(result.verdict(), Verdict::warning);
    EXPECT_NE(find(result, "WP008")->fix.find("imagePullPolicy"), std::string::npos);
}

TEST(Validate, GivesEveryFindingThatItKeepsItsFix) {
    std::string fields;
    for (int i = 0; i < 105; ++i) {
        fields += fmt::format("  priority{:02x}: 1\n", i);
    }
    const auto result = judge(with(clean, "  sha256", fields + "  sha256"));
    int kept = 0;
    for (const auto& finding : result.findings) {
        kept += finding.rule->id == "WP008" && !finding.path.empty() ? 1 : 0;
        EXPECT_FALSE(finding.rule->id == "WP008" && finding.fix.find("mend the name") == 0)
            << finding.message;
    }
    EXPECT_GE(kept, 100);
}

TEST(Validate, ComparesEqualKeysOfTheirOwnMapping) {
    const auto result = judge(clean +
                              "spec:\n  url: oci://r.example/a:1\n  priority: 1\n  priority: 2\n"
                              "spec:\n  url: oci://r.example/a:1\n  priority: 1\n");
    for (const auto& finding : result.findings) {
        EXPECT_FALSE(finding.rule->id == "WP009" && finding.path == "spec.priority" &&
                     finding.right.has_value())
            << "1 and 2 are not the same";
    }
}

struct Trap {
    const char* rule;
    const char* old_text;
    const char* new_text;
    Level level;
};

class RuntimeTrap : public testing::TestWithParam<Trap> {};

TEST_P(RuntimeTrap, IsFound) {
    const auto& trap = GetParam();
    const auto result = judge(with(clean, trap.old_text, trap.new_text));
    const auto* finding = find(result, trap.rule);
    ASSERT_NE(finding, nullptr) << trap.new_text;
    EXPECT_EQ(finding->level, trap.level);
    EXPECT_EQ(result.verdict(Layer::api_server), Verdict::ok);
    EXPECT_EQ(result.verdict(Layer::webhook), Verdict::ok);
}

constexpr auto url_line = "oci://registry.internal/acme/auth:1.0.0";
constexpr auto sha_line =
    "  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

INSTANTIATE_TEST_SUITE_P(
    All, RuntimeTrap,
    testing::Values(
        Trap{"WP030", url_line, "10.1.2.3:5000/acme/auth", Level::error},
        Trap{"WP031", url_line, "oci://registry.internal/Acme/auth:1", Level::error},
        Trap{"WP032", url_line, "/opt/auth.wasm", Level::error},
        Trap{"WP033", url_line, "file://opt/auth.wasm", Level::error},
        Trap{"WP034", url_line, "oci://acme/auth:1.0.0", Level::warning},
        Trap{"WP035", url_line, "https//registry.internal/auth", Level::error},
        Trap{"WP036", url_line, "http:///auth.wasm", Level::error},
        Trap{"WP037", url_line, "oci://u:p@registry.internal/acme/auth:1", Level::error},
        Trap{"WP038", url_line, "oci://registry.internal/acme/auth:1?x=1", Level::warning},
        Trap{"WP042", url_line, "file:///opt/auth.wasm", Level::warning},
        Trap{"WP051",
             "auth:1.0.0\n  sha256: "
             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
             "auth", Level::warning},
        Trap{"WP102", ":1.0.0", ":latest", Level::warning},
        Trap{"WP101", sha_line, "", Level::hint},
        Trap{"WP043", "  sha256", "  verificationKey: k\n  sha256", Level::warning},
        Trap{"WP044", "  sha256", "  vmConfig: {env: [{name: ISTIO_META_X, value: a}]}\n  sha256",
             Level::error},
        Trap{"WP045", "  sha256", "  vmConfig: {env: [{name: a b}]}\n  sha256", Level::error},
        Trap{"WP046", "  sha256", "  pluginConfig: {n: 9007199254740993}\n  sha256",
             Level::warning},
        Trap{"WP047", "app: shop\n", "istio: ingressgateway\n  match: [{mode: SERVER}]\n",
             Level::error},
        Trap{"WP052", "  sha256", "  imagePullSecret: kubernetes://other/s\n  sha256",
             Level::warning},
        Trap{"WP053", "  namespace", "  uid: x\n  namespace", Level::hint},
        Trap{"WP203", "prod\nspec:\n  selector:\n    matchLabels:\n      app: shop\n",
             "istio-system\nspec:\n", Level::warning},
        Trap{"WP206", "  sha256", "  priority: 0\n  sha256", Level::hint},
        Trap{"WP208", "  sha256", "  priority: 5  # lower runs first\n  sha256", Level::warning}));

TEST(Suppress, SilencesTheLineItStandsOn) {
    const auto text =
        with(clean, "  sha256", "  priority: 0  # wasmplug:ignore WP206 on purpose\n  sha256");
    EXPECT_TRUE(judge(text).findings.empty());
}

TEST(Suppress, SilencesWhatIsNestedBelow) {
    const auto text = with(clean, "  sha256",
                           "  # wasmplug:ignore WP046\n"
                           "  pluginConfig:\n"
                           "    a: {n: 9007199254740993}\n"
                           "  priority: 0\n"
                           "  sha256");
    const auto result = judge(text);
    EXPECT_EQ(find(result, "WP046"), nullptr);
    EXPECT_NE(find(result, "WP206"), nullptr);
}

TEST(Suppress, SilencesTheWholeDocumentFromAboveIt) {
    EXPECT_EQ(
        find(judge("# wasmplug:ignore WP101, WP206 known\n" + with(clean, sha_line, "")), "WP101"),
        nullptr);
}

TEST(Suppress, SaysWhenItSilencesNothing) {
    EXPECT_NE(find(judge("# wasmplug:ignore WP101\n" + clean), "WP302"), nullptr);
    EXPECT_NE(find(judge("# wasmplug:ignore WP998\n" + clean), "WP302"), nullptr);
}

std::vector<DocumentResult> judge_together(const std::string& text) {
    std::vector<DocumentResult> documents;
    Overlaps overlaps("istio-system");
    for (const auto& checked : validate(yaml::File::parse(text, "plugin.yaml"), {})) {
        documents.push_back(summarize(checked));
        overlaps.check(place(checked.object, documents.size() - 1), documents.back());
    }
    return documents;
}

TEST(Overlap, FindsACanaryPairThatBothRun) {
    const auto canary = with(with(clean, "name: auth", "name: auth-canary"), "1.0.0", "1.1.0");
    const auto all = judge_together(clean + "---\n" + canary);
    EXPECT_NE(find(all[1], "WP201"), nullptr);
    EXPECT_NE(find(all[1], "WP202"), nullptr);
    EXPECT_TRUE(all[0].findings.empty());
}

TEST(Overlap, IsSilentWhenSelectorsExcludeEachOther) {
    const auto canary =
        with(with(clean, "name: auth", "name: auth-canary"), "app: shop", "app: cart");
    const auto all = judge_together(clean + "---\n" + canary);
    EXPECT_TRUE(all[1].findings.empty());
}

TEST(Overlap, FindsTheSameNameTwice) {
    EXPECT_NE(find(judge_together(clean + "---\n" + clean)[1], "WP205"), nullptr);
}

TEST(Overlap, TellsThreeAndCountsTheRest) {
    std::string text;
    for (int i = 0; i < 6; ++i) {
        text += "---\n" + with(clean, "name: auth", "name: auth-" + std::to_string(i));
    }
    const auto all = judge_together(text);
    const auto& findings = all.back().findings;
    EXPECT_EQ(findings.size(), 8U);
    EXPECT_EQ(findings.back().message, "2 more have the same phase and priority on the same pods");
}

TEST(Overlap, ForgetsFoldersThatAWalkHasLeft) {
    Overlaps overlaps("istio-system");
    const auto check = [&](const std::string& name) {
        const auto checked = validate(yaml::File::parse(clean, name), {});
        auto document = summarize(checked.front());
        overlaps.check(place(checked.front().object, 0), document);
        return document.findings.size();
    };
    EXPECT_EQ(check("deploy/a.yaml"), 0U);
    EXPECT_EQ(check("deploy/shop/b.yaml"), 0U);
    overlaps.leave_all_but("deploy/shop/eu");
    EXPECT_EQ(check("deploy/shop/c.yaml"), 1U);
    overlaps.leave_all_but("deploy/shopping");
    EXPECT_EQ(check("deploy/shop/d.yaml"), 0U);
    EXPECT_EQ(check("deploy/e.yaml"), 1U);
}

Policy policy_of(const std::string& text) {
    return read_policy(yaml::File::parse(text, "policy.yaml"));
}

std::vector<std::string> policy_findings(const std::string& text, const Policy& policy) {
    const auto file = yaml::File::parse(text, "plugin.yaml");
    Findings findings;
    check_policy(objects_in(file).front(), policy, findings);
    std::vector<std::string> ids;
    for (const auto& finding : findings.all()) {
        ids.emplace_back(finding.rule->id);
    }
    return ids;
}

TEST(PolicyFile, JudgesEachOfItsPoints) {
    const auto policy = policy_of(
        "version: 1\n"
        "registries: {allowed: [ghcr.io/acme]}\n"
        "transports: {allowed: [https]}\n"
        "tags: {forbidden: ['1.*']}\n"
        "failStrategy: {forbidden: [FAIL_CLOSE]}\n"
        "namespaces: {forbidden: [pro*]}\n"
        "labels: {required: [team]}\n"
        "priority: {max: 10}\n");
    const auto ids = policy_findings(with(clean, "  sha256", "  priority: 11\n  sha256"), policy);
    EXPECT_EQ(ids, (std::vector<std::string>{"WP404", "WP405", "WP409", "WP403", "WP408", "WP401",
                                             "WP407"}));
}

TEST(PolicyFile, WantsDigestAndScope) {
    const auto policy = policy_of("digest: required\nscope: required\n");
    EXPECT_TRUE(policy_findings(clean, policy).empty());
    const auto bare =
        with(with(clean, sha_line, ""), "  selector:\n    matchLabels:\n      app: shop\n", "");
    EXPECT_EQ(policy_findings(bare, policy), (std::vector<std::string>{"WP406", "WP402"}));
}

TEST(PolicyFile, ExceptsWhatItNames) {
    EXPECT_TRUE(policy_findings(clean, policy_of("labels: {required: [team]}\nexcept: [prod/*]\n"))
                    .empty());
}

TEST(PolicyFile, RefusesATypingErrorInsteadOfSwitchingOff) {
    EXPECT_THROW(policy_of("digets: required\n"), Error);
    EXPECT_THROW(policy_of("digest: yes\n"), Error);
    EXPECT_THROW(policy_of("rules: {WP999: off}\n"), Error);
    EXPECT_THROW(policy_of("registries: [ghcr.io]\n"), Error);
}

TEST(PolicyFile, ChangesTheLevelOfARule) {
    auto result = judge(with(clean, sha_line, ""));
    apply_levels(policy_of("rules: {WP101: error}\n"), result.findings);
    EXPECT_EQ(result.verdict(), Verdict::error);
    apply_levels(policy_of("rules: {WP101: \"off\"}\n"), result.findings);
    EXPECT_TRUE(result.findings.empty());
}

TEST(Fields, AreFoundInEverySpelling) {
    for (const auto* path : {"spec.match[].mode", "spec.match[3].mode", "match.mode"}) {
        ASSERT_NE(find_field(Kind::wasm_plugin, path), nullptr) << path;
        EXPECT_EQ(find_field(Kind::wasm_plugin, path)->name, "mode");
    }
    EXPECT_EQ(find_field(Kind::wasm_plugin, "spec.pluginConfig.a.b")->name, "pluginConfig");
    EXPECT_EQ(find_field(Kind::wasm_plugin, "spec.nope"), nullptr);
    EXPECT_NE(find_field(Kind::traffic_extension, "spec.wasm.url"), nullptr);
    EXPECT_EQ(find_field(Kind::traffic_extension, "spec.url"), nullptr);
}

}  // namespace
}  // namespace wasmplug::manifest
