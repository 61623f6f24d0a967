#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <string>

#include "istio/go_url.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/fixes.hpp"
#include "manifest/layers.hpp"

namespace wasmplug::manifest {
namespace {

using istio::PluginUrl;
using istio::Transport;
using yaml::Node;

constexpr auto npos = std::string_view::npos;
constexpr std::int64_t exact_double = std::int64_t{1} << 53;

// A repository that somebody meant to fill in.
bool placeholder(std::string_view url) {
    constexpr std::array<std::string_view, 7> marks = {"${", "{{", "$(", "<", "[", "YOUR", "{"};
    return url.find('$') != npos || std::any_of(marks.begin(), marks.end(),
                                                [&](auto mark) { return url.find(mark) != npos; });
}

class Runtime {
  public:
    Runtime(const Object& object, const istio::Release& release, const RuntimeSettings& settings,
            Findings& findings)
        : object_(object), release_(release), settings_(settings), findings_(findings) {}

    void check() {
        const auto* spec = object_.spec();
        if (spec == nullptr) {
            return;
        }
        const Trail spec_trail(root_, "spec");
        const Trail wasm_trail(spec_trail, "wasm");
        const auto& trail = object_.kind == Kind::wasm_plugin ? spec_trail : wasm_trail;
        if (const auto* payload = object_.payload()) {
            check_payload(*payload, trail);
        }
        check_scope(*spec, spec_trail);
        check_targets(*spec, spec_trail);
        check_order(*spec, spec_trail);
        check_copy();
    }

  private:
    Finding& add(std::string_view rule, const Trail& trail, yaml::Range range,
                 std::string message) {
        auto& finding = findings_.add(rule, trail, range, std::move(message));
        finding.layer = Layer::runtime;
        return finding;
    }

    static const Node* scalar(const Node& mapping, std::string_view key) {
        const auto* value = mapping.find(key);
        return value != nullptr && value->is_string() && !value->as_string()->empty() ? value
                                                                                      : nullptr;
    }

    void check_payload(const Node& payload, const Trail& trail) {
        if (const auto* url = scalar(payload, "url")) {
            const auto read = istio::read_plugin_url(*url->as_string());
            if (read.api_server.empty() && read.webhook.empty()) {
                check_url(payload, *url, read, trail);
            }
        }
        if (const auto* key = scalar(payload, "verificationKey")) {
            add("WP043", Trail(trail, "verificationKey"), key->range(),
                "verificationKey is accepted and read by nothing: the module is not verified");
        }
        if (const auto* secret = scalar(payload, "imagePullSecret")) {
            check_secret(*secret, Trail(trail, "imagePullSecret"));
        }
        check_environment(payload, trail);
        if (const auto* config = payload.find("pluginConfig")) {
            check_numbers(*config, Trail(trail, "pluginConfig"));
        }
    }

    void check_url(const Node& payload, const Node& node, const PluginUrl& url, const Trail& up) {
        const Trail trail(up, "url");
        const std::string text(*node.as_string());
        if (!url.discarded.empty()) {
            auto& finding = add("WP030", trail, node.range(),
                                fmt::format("istiod discards this plugin, with one line in its "
                                            "log: {}",
                                            url.discarded));
            if (placeholder(text)) {
                finding.fix = "fill in the placeholder";
            } else if (!url.explicit_scheme && text.find("://") == npos) {
                finding.remedy({"write oci://" + text, as_image_url(text)});
            }
            return;
        }
        switch (url.transport) {
            case Transport::file:
                check_file(payload, node, url, text, up);
                break;
            case Transport::http:
                check_http(payload, node, url, up);
                break;
            case Transport::oci:
                check_image(payload, node, url, text, up);
                break;
        }
    }

    void check_file(const Node& payload, const Node& node, const PluginUrl& url,
                    const std::string& text, const Trail& up) {
        if (!url.path.starts_with('/')) {
            auto& finding = add("WP033", Trail(up, "url"), node.range(),
                                fmt::format("Envoy opens a file named \"{}\"", url.path));
            const auto rest = text.substr(text.find(':') + 1);
            const auto slashes = std::min(rest.find_first_not_of('/'), rest.size());
            const auto meant = "file:///" + rest.substr(slashes);
            finding.fix = "write " + meant;
            // file://opt/x may also be meant for a path of the proxy's working folder.
            if (slashes != 2 && slashes != rest.size()) {
                finding.right = Right{meant};
            }
        }
        for (const std::string_view name : {"sha256", "imagePullPolicy", "imagePullSecret"}) {
            const auto* value = scalar(payload, name);
            if (value != nullptr && value->text() != "UNSPECIFIED_POLICY") {
                add("WP042", Trail(up, name), key_range(payload, name),
                    fmt::format("{} does nothing with a file:// url: Envoy reads the file itself",
                                name));
            }
        }
    }

    void check_http(const Node& payload, const Node& node, const PluginUrl& url, const Trail& up) {
        const Trail trail(up, "url");
        if (url.empty_host) {
            add("WP036", trail, node.range(), "the url has no host");
        }
        if (url.user_info) {
            add("WP037", trail, node.range(),
                "credentials in the url stand in clear text in the cluster")
                .level = Level::warning;
        }
        if (const auto* secret = scalar(payload, "imagePullSecret")) {
            add("WP042", Trail(up, "imagePullSecret"), secret->range(),
                "imagePullSecret does nothing with an http url");
        }
        if (scalar(payload, "sha256") == nullptr) {
            const bool plain = url.scheme_as_written.size() == 4;
            add(plain ? "WP039" : "WP103", trail, node.range(),
                plain ? "the module comes over plain http and nothing is checked"
                      : "the module is not checked against a digest");
        }
    }

    void check_image(const Node& payload, const Node& node, const PluginUrl& url,
                     const std::string& text, const Trail& up) {
        const Trail trail(up, "url");
        if (!url.explicit_scheme && looks_like_scheme(text)) {
            const auto slashes = text.find("//");
            const auto scheme = text.substr(0, text.find_first_of("./"));
            add("WP035", trail, node.range(),
                fmt::format("\"{}\" is an image name on Docker Hub: the colon is missing", text))
                .write_instead((scheme == "docker" ? "oci" : scheme) + ":" + text.substr(slashes));
            return;
        }
        if (!url.explicit_scheme && looks_like_path(text)) {
            auto& finding =
                add("WP032", trail, node.range(),
                    fmt::format("without a scheme this is the image oci://{}, not a file", text));
            if (text.starts_with('/')) {
                finding.write_instead("file://" + text);
            } else {
                finding.fix = "write file:///PATH, or the image's full reference";
            }
            return;
        }
        if (!url.unfetchable.empty()) {
            auto& finding = add("WP031", trail, node.range(), url.unfetchable);
            if (placeholder(text)) {
                finding.fix = "fill in the placeholder";
            } else if (text.find_last_not_of(' ') + 1 != text.size()) {
                finding.remedy({"take the blank at the end away",
                                Right{text.substr(0, text.find_last_not_of(' ') + 1)}});
            } else if (url.path.empty()) {
                finding.fix = "write oci://HOST/REPOSITORY:TAG";
            }
            return;
        }
        if (url.explicit_scheme && url.empty_host) {
            add("WP036", trail, node.range(),
                fmt::format("the url has no host: the reference is \"{}\"", url.path))
                .fix = "write oci://HOST/REPOSITORY:TAG";
            return;
        }
        check_port(node, url, trail);
        if (url.user_info) {
            add("WP037", trail, node.range(), "credentials in an oci url are dropped");
        }
        if (url.query_dropped) {
            add("WP038", trail, node.range(), "the query or fragment of an oci url is dropped")
                .right = Right{text.substr(0, text.find_first_of("?#"))};
        }
        if (url.image->registry.empty()) {
            add("WP034", trail, node.range(),
                fmt::format("no host: this is docker.io/{}{}",
                            url.image->repository.find('/') == npos ? "library/" : "",
                            url.image->repository))
                .fix = "write the registry's host, or oci://docker.io/" + url.path;
        }
        if (url.image->repository.size() == 1) {
            add("WP056", trail, node.range(),
                fmt::format("\"{}\" is too short a repository for many agents",
                            url.image->repository));
        }
        check_digest(payload, node, url, up);
    }

    static bool looks_like_scheme(std::string_view text) {
        constexpr std::array<std::string_view, 8> typos = {
            "oci//", "oci.//", "http//", "https//", "http.//", "https.//", "file//", "docker//"};
        return std::any_of(typos.begin(), typos.end(),
                           [&](std::string_view typo) { return text.starts_with(typo); });
    }

    static bool looks_like_path(std::string_view text) {
        const bool host_first =
            text.find('/') != npos && text.substr(0, text.find('/')).find_first_of(".:") != npos;
        return (text.starts_with('/') && !text.starts_with("//")) || text.starts_with("./") ||
               text.starts_with("../") || text.starts_with("~/") ||
               (text.ends_with(".wasm") && !host_first);
    }

    void check_port(const Node& node, const PluginUrl& url, const Trail& trail) {
        const auto colon = url.host.rfind(':');
        if (colon == npos || url.host.ends_with(']')) {
            return;
        }
        const auto digits = std::string_view(url.host).substr(colon + 1);
        unsigned port = 0;
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (!digits.empty() && (result.ec != std::errc() || port > 65535)) {
            add("WP031", trail, node.range(), fmt::format("there is no port {}", digits)).fix =
                "write a port between 1 and 65535";
        }
    }

    void check_digest(const Node& payload, const Node& node, const PluginUrl& url,
                      const Trail& up) {
        const Trail trail(up, "url");
        const auto& image = *url.image;
        const auto* sha = scalar(payload, "sha256");
        const auto* policy = scalar(payload, "imagePullPolicy");
        const bool always = policy != nullptr && policy->text() == "Always";
        if (!image.digest.empty()) {
            if (!image.digest.starts_with("sha256:")) {
                add("WP041", trail, node.range(),
                    fmt::format("the agent cannot check a {} digest",
                                image.digest.substr(0, image.digest.find(':'))));
            } else if (sha != nullptr &&
                       "sha256:" + std::string(*sha->as_string()) != image.digest) {
                add("WP040", Trail(up, "sha256"), sha->range(),
                    "sha256 is not the digest in the url: the download never matches");
            }
            return;
        }
        if (image.tag == "latest") {
            add("WP102", trail, node.range(),
                "the tag latest names other bytes tomorrow, and proxies keep what they fetched");
        } else if (image.tag.empty() && !always && sha == nullptr) {
            add("WP051", trail, node.range(),
                "no tag means latest, but it is fetched once and then kept: only a path that "
                "ends in :latest is pulled again");
        } else if (sha == nullptr) {
            add("WP101", trail, node.range(), "the tag is not pinned by a digest");
        }
        if (always && sha == nullptr) {
            add("WP054", Trail(up, "imagePullPolicy"), policy->range(),
                "Always resolves the tag again only after an edit of this resource")
                .level = Level::hint;
        }
    }

    void check_secret(const Node& node, const Trail& trail) {
        const auto text = *node.as_string();
        const auto scheme = text.find("://");
        if (scheme == npos) {
            return;
        }
        const auto rest = text.substr(scheme + 3);
        const auto slash = rest.find('/');
        const auto ns = slash == npos ? std::string_view() : rest.substr(0, slash);
        if (slash != npos && (object_.ns.empty() || ns != object_.ns)) {
            add("WP052", trail, node.range(),
                fmt::format("the secret is looked for in the plugin's own namespace{}, not in {}",
                            object_.ns.empty() ? "" : " " + std::string(object_.ns), ns))
                .remedy({fmt::format("write imagePullSecret: {}", rest.substr(slash + 1)),
                         Right{std::string(rest.substr(slash + 1))}});
        }
    }

    void check_environment(const Node& payload, const Trail& up) {
        const auto* vm = payload.find("vmConfig");
        const auto* env = vm == nullptr || !vm->is_mapping() ? nullptr : vm->find("env");
        if (env == nullptr || !env->is_sequence()) {
            return;
        }
        const auto* url = scalar(payload, "url");
        const bool file = url != nullptr &&
                          istio::read_plugin_url(*url->as_string()).transport == Transport::file;
        const Trail vm_trail(up, "vmConfig");
        const Trail list(vm_trail, "env");
        std::size_t index = 0;
        for (const auto& item : env->items()) {
            const Trail below(list, index++);
            const auto* name = item.is_mapping() ? scalar(item, "name") : nullptr;
            if (name == nullptr) {
                continue;
            }
            const auto text = *name->as_string();
            if (text.starts_with("ISTIO_META_") && !file && text_at(&item, "valueFrom") != "HOST") {
                add("WP044", Trail(below, "name"), name->range(),
                    fmt::format("{} is removed by the agent before Envoy sees it", text));
            } else if (text.find_first_of(std::string_view("= \t\n\0", 5)) != npos) {
                add("WP045", Trail(below, "name"), name->range(),
                    "a name with '=' or a blank cannot be asked for");
            }
        }
    }

    // NOLINTNEXTLINE(misc-no-recursion): the reader bounds the depth
    void check_numbers(const Node& node, const Trail& trail) {
        if (node.is_mapping()) {
            for (const auto entry : node.entries()) {
                if (entry.value.kind() != yaml::Kind::scalar || entry.value.text().size() > 15) {
                    const auto key = entry.key.key_text();
                    check_numbers(entry.value, Trail(trail, key));
                }
            }
        } else if (node.is_sequence()) {
            std::size_t index = 0;
            for (const auto& item : node.items()) {
                check_numbers(item, Trail(trail, index++));
            }
        } else if (node.type() == yaml::Type::integer && node.kind() == yaml::Kind::scalar) {
            const auto value = node.as_int();
            // An integer is exact as a double up to 2^53, and beyond when its low bits are zero.
            const bool exact =
                value && (std::abs(*value) <= exact_double ||
                          static_cast<std::int64_t>(static_cast<double>(*value)) == *value);
            if (!exact) {
                add("WP046", trail, node.range(),
                    fmt::format("{} goes through a double: the plugin sees {:.0f}", node.text(),
                                node.as_double().value_or(0)))
                    .fix = fmt::format("write \"{}\"", node.text());
            }
        }
    }

    // --- where it runs ---------------------------------------------------------------------

    static bool has_labels(const Node& spec) {
        const auto* selector = spec.find("selector");
        const auto* labels = selector == nullptr || !selector->is_mapping()
                                 ? nullptr
                                 : selector->find("matchLabels");
        return labels != nullptr && labels->is_mapping() && labels->size() > 0;
    }

    static bool has_targets(const Node& spec) {
        const auto* many = spec.find("targetRefs");
        const auto* one = spec.find("targetRef");
        return (many != nullptr && many->is_sequence() && many->size() > 0) ||
               (one != nullptr && one->is_mapping());
    }

    void check_scope(const Node& spec, const Trail& trail) {
        const bool everywhere = !has_labels(spec) && !has_targets(spec);
        if (everywhere && !object_.ns.empty() && object_.ns == settings_.root_namespace) {
            add("WP203", trail, key_range(*object_.root, "spec"),
                fmt::format("no selector in the root namespace {}: this runs in every sidecar and "
                            "gateway of the mesh",
                            object_.ns));
            const auto* payload = object_.payload();
            const auto strategy =
                payload == nullptr ? "FAIL_OPEN" : text_at(payload, "failStrategy");
            if (strategy != "FAIL_OPEN") {
                add("WP055", trail, key_range(*object_.root, "spec"),
                    release_.minor >= istio::since::deny_on_fetch_failure
                        ? "a module that cannot be fetched denies all requests of the whole mesh"
                        : "a module that cannot be fetched keeps new proxies from getting ready");
            }
        }
        check_gateway_selector(spec, trail);
    }

    void check_gateway_selector(const Node& spec, const Trail& trail) {
        if (!has_labels(spec)) {
            return;
        }
        const auto& labels = *spec.find("selector")->find("matchLabels");
        const auto value = [&](std::string_view key) {
            return text_at(&labels, key);
        };
        const auto gateway = [](std::string_view text) {
            return text == "ingressgateway" || text == "egressgateway" ||
                   text == "istio-ingressgateway" || text == "istio-egressgateway";
        };
        const bool is_gateway = gateway(value("istio")) || gateway(value("app")) ||
                                !value("gateway.networking.k8s.io/gateway-name").empty();
        const bool waypoint = value("gateway.istio.io/managed") == "istio.io-mesh-controller" ||
                              value("gateway.networking.k8s.io/gateway-name").ends_with("waypoint");
        const Trail selector(trail, "selector");
        if (waypoint) {
            add("WP204", selector, key_range(spec, "selector"),
                "waypoints take plugins by targetRefs only; this selects nothing");
        } else if (is_gateway && every_match(spec, [](const Node& item) {
                       return text_at(&item, "mode") == "SERVER";
                   })) {
            add("WP047", Trail(trail, "match"), key_range(spec, "match"),
                "mode SERVER never matches on a gateway, which is always CLIENT");
        }
    }

    template <class Test>
    static bool every_match(const Node& spec, const Test& test) {
        const auto* match = spec.find("match");
        if (match == nullptr || !match->is_sequence() || match->size() == 0) {
            return false;
        }
        for (const auto& item : match->items()) {
            if (!item.is_mapping() || !test(item)) {
                return false;
            }
        }
        return true;
    }

    void check_targets(const Node& spec, const Trail& trail) {
        const auto* many = spec.find("targetRefs");
        if (many != nullptr && many->is_sequence()) {
            const Trail list(trail, "targetRefs");
            std::size_t index = 0;
            for (const auto& item : many->items()) {
                check_target(spec, item, Trail(list, index++), trail);
            }
        }
        if (const auto* one = spec.find("targetRef")) {
            check_target(spec, *one, Trail(trail, "targetRef"), trail);
        }
    }

    void check_target(const Node& spec, const Node& target, const Trail& trail,
                      const Trail& spec_trail) {
        if (!target.is_mapping()) {
            return;
        }
        const auto kind = text_at(&target, "kind");
        const auto name = text_at(&target, "name");
        if (kind == "GatewayClass" &&
            (name != "istio-waypoint" || object_.ns != settings_.root_namespace)) {
            add("WP049", trail, beginning_of(target),
                fmt::format("GatewayClass {} is ignored: only istio-waypoint counts, in the root "
                            "namespace {}",
                            name, settings_.root_namespace));
            return;
        }
        const bool service = kind == "Service" || kind == "ServiceEntry";
        if (service) {
            add("WP050", trail, beginning_of(target),
                fmt::format("{} {} is served by a waypoint or by nothing", kind, name))
                .level = Level::hint;
        }
        const auto* payload = object_.payload();
        const bool network = payload != nullptr && text_at(payload, "type") == "NETWORK";
        const bool waypoint = service || (kind == "Gateway" && name.ends_with("waypoint"));
        if (waypoint && !network && every_match(spec, [](const Node& item) {
                const auto* ports = item.find("ports");
                return ports != nullptr && ports->is_sequence() && ports->size() > 0;
            })) {
            add("WP048", Trail(spec_trail, "match"), key_range(spec, "match"),
                "a waypoint's HTTP listener has port 0: these ports never match there");
        }
    }

    // The comment behind `node`, and those that stand alone right above it, in lower case.
    std::string comment_on(const Node& node) const {
        const auto number = object_.file.position(node.range().begin).line;
        std::string text;
        for (auto above = number - 1; above > 0; --above) {
            const auto line = object_.file.line(above);
            const auto begin = line.find_first_not_of(" \t");
            if (begin == npos || line[begin] != '#') {
                break;
            }
            text.append(line.substr(begin)).append(1, '\n');
        }
        const auto line = object_.file.line(number);
        text += line.substr(std::min(line.find(" #"), line.size()));
        std::transform(text.begin(), text.end(), text.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return text;
    }

    // Guides have these the wrong way round, and people copy them together with the comment.
    void check_phase_comment(const Node& spec, const Trail& trail) {
        const auto* phase = scalar(spec, "phase");
        if (phase == nullptr) {
            return;
        }
        const auto comment = comment_on(*phase);
        const auto says = [&](std::string_view word) {
            return comment.find(word) != npos;
        };
        if (phase->text() == "STATS" &&
            (says("runs last") || says("run last") || says("at the end"))) {
            add("WP209", Trail(trail, "phase"), phase->range(),
                "STATS does not run last: plugins without a phase come after it, before the router")
                .fix = "leave phase out to run last, or mend the comment";
        } else if (phase->text() == "AUTHN" && (says("runs first") || says("run first"))) {
            add("WP209", Trail(trail, "phase"), phase->range(),
                "AUTHN says before Istio's own authentication, not first: among the plugins of the "
                "phase the priority decides")
                .fix = "give the highest priority to what has to be first, or mend the comment";
        }
    }

    void check_order(const Node& spec, const Trail& trail) {
        check_phase_comment(spec, trail);
        const auto* priority = spec.find("priority");
        if (priority == nullptr || priority->kind() != yaml::Kind::scalar || priority->is_null()) {
            return;
        }
        if (priority->as_int() == 0) {
            add("WP206", Trail(trail, "priority"), priority->range(),
                "0 runs before plugins without a priority");
        }
        const auto comment = comment_on(*priority);
        const bool low = comment.find("lower") != npos || comment.find("smaller") != npos;
        const bool first = comment.find("first") != npos || comment.find("earl") != npos ||
                           comment.find("before") != npos;
        if (low && first && comment.find("higher") == npos) {
            add("WP208", Trail(trail, "priority"), priority->range(),
                "the comment says the opposite of what happens: higher priorities run first");
        }
    }

    void check_copy() {
        const auto* metadata = object_.root->find("metadata");
        if (metadata == nullptr || !metadata->is_mapping()) {
            return;
        }
        for (const std::string_view key : {"resourceVersion", "uid"}) {
            if (scalar(*metadata, key) != nullptr) {
                const Trail trail(root_, "metadata");
                add("WP053", Trail(trail, key), key_range(*metadata, key),
                    fmt::format("{} is the API server's own: this cannot be created afresh", key))
                    .right = Right{};
                return;
            }
        }
    }

    const Object& object_;
    const istio::Release& release_;
    const RuntimeSettings& settings_;
    Findings& findings_;
    Trail root_;
};

}  // namespace

void check_runtime(const Object& object, const istio::Release& release,
                   const RuntimeSettings& settings, Findings& findings) {
    Runtime(object, release, settings, findings).check();
}

}  // namespace wasmplug::manifest
