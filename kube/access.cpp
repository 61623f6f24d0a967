#include "kube/access.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"

namespace wasmplug::kube {

namespace fs = std::filesystem;

namespace {

std::string text_at(const yaml::Node& node, std::string_view key) {
    const yaml::Node* found = node.find(key);
    return found == nullptr ? std::string{} : std::string(found->as_string().value_or(""));
}

// The entry called `name` of the list `list`, from the first file that has it.
struct Named {
    const yaml::Node* body = nullptr;
    fs::path file;
};

Named find_named(const std::vector<yaml::File>& files, std::string_view list, std::string_view body,
                 std::string_view name) {
    for (const auto& file : files) {
        const yaml::Node* entries = file.single().find(list);
        if (entries == nullptr) {
            continue;
        }
        for (const auto& entry : entries->items()) {
            if (text_at(entry, "name") == name) {
                return {entry.find(body), file.name()};
            }
        }
    }
    return {};
}

// Where kubectl looks, in its order. Only the files that are there.
std::vector<fs::path> kubeconfig_files(const Environment& environment) {
    std::vector<fs::path> candidates;
    if (const auto listed = environment("KUBECONFIG"); listed && !listed->empty()) {
        for (std::size_t begin = 0; begin <= listed->size();) {
            const std::size_t end = std::min(listed->find(':', begin), listed->size());
            candidates.emplace_back(listed->substr(begin, end - begin));
            begin = end + 1;
        }
    } else if (const auto home = environment("HOME")) {
        candidates.push_back(fs::path(*home) / ".kube" / "config");
    }
    std::erase_if(candidates, [](const fs::path& path) { return !fs::is_regular_file(path); });
    return candidates;
}

}  // namespace

std::optional<ClusterContext> current_context(const Environment& environment) {
    std::vector<yaml::File> files;
    ClusterContext context;
    for (const auto& path : kubeconfig_files(environment)) {
        files.push_back(yaml::File::read(path));
        const std::string current = text_at(files.back().single(), "current-context");
        if (context.name.empty() && !current.empty()) {
            context.name = current;
            context.file = path;
        }
    }
    if (context.name.empty()) {
        return std::nullopt;
    }
    const Named named = find_named(files, "contexts", "context", context.name);
    const Named cluster = named.body == nullptr ? Named{}
                                                : find_named(files, "clusters", "cluster",
                                                             text_at(*named.body, "cluster"));
    if (cluster.body == nullptr) {
        throw Error(fmt::format("{}: context '{}' names no cluster that is described",
                                context.file.string(), context.name),
                    "kubectl config get-contexts");
    }
    context.server = text_at(*cluster.body, "server");
    context.certificate_authority = text_at(*cluster.body, "certificate-authority");
    if (!context.certificate_authority.empty()) {
        // Relative to the file that says it.
        context.certificate_authority =
            (cluster.file.parent_path() / context.certificate_authority).string();
    }
    if (const auto data = text_at(*cluster.body, "certificate-authority-data"); !data.empty()) {
        context.certificate_authority_data = base64_decode(data);
    }
    const yaml::Node* insecure = cluster.body->find("insecure-skip-tls-verify");
    context.insecure = insecure != nullptr && insecure->as_bool().value_or(false);
    return context;
}

std::string server_version(const ClusterContext& context, const Send& send, const Cancel& cancel) {
    const TemporaryDirectory folder;
    HttpRequest request;
    request.url = context.server + "/version";
    request.max_redirects = 0;
    request.connect_timeout = std::chrono::seconds(3);
    request.stall_timeout = std::chrono::seconds(3);
    request.tls.insecure = context.insecure;
    request.tls.ca_file = context.certificate_authority;
    if (!context.certificate_authority_data.empty()) {
        const fs::path authority = folder.path() / "ca.pem";
        write_file(authority, context.certificate_authority_data);
        request.tls.ca_file = authority.string();
    }
    const HttpResponse response = send(request, cancel);
    if (response.status != 200) {
        return fmt::format("answers {}", response.status);
    }
    const auto document = parse_json(response.body, request.url);
    const auto version = document.is_object() ? document.find("gitVersion") : document.end();
    return version != document.end() && version->is_string() ? version->get<std::string>()
                                                             : "answers";
}

}  // namespace wasmplug::kube
