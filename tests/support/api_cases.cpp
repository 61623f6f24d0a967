#include "tests/support/api_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::string_view group = "extensions.istio.io/v1alpha1";

fs::path folder() {
    return fs::path(WASMPLUG_SOURCE_DIR) / "tests/data/manifests/api-server";
}

std::string replaced(std::string text, std::string_view what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
        text.replace(at, what.size(), with);
        at += with.size();
    }
    return text;
}

// @N<<TEXT>>
std::string repeated(std::string text) {
    for (auto at = text.find("<<"); at != std::string::npos; at = text.find("<<", at + 1)) {
        const auto mark = text.find_last_not_of("0123456789", at - 1);
        if (at == 0 || mark == std::string::npos || text[mark] != '@' || mark + 1 == at) {
            continue;  // a merge key
        }
        const auto end = text.find(">>", at);
        const int count = std::stoi(text.substr(mark + 1, at - mark - 1));
        const auto piece = text.substr(at + 2, end - at - 2);
        std::string all;
        for (int i = 0; i < count; ++i) {
            all += replaced(piece, "%", std::to_string(i));
        }
        text.replace(mark, end + 2 - mark, all);
        at = mark;
    }
    return text;
}

std::string expanded(const std::string& text) {
    const auto head = [](std::string_view kind) {
        return fmt::format("apiVersion: {}\nkind: {}\n", group, kind);
    };
    const std::string metadata = "metadata: {name: p, namespace: default}\n";
    auto all = replaced(text, "@plugin\n", head("WasmPlugin") + metadata);
    all = replaced(all, "@extension\n", head("TrafficExtension") + metadata);
    return repeated(replaced(all, "@head\n", head("WasmPlugin")));
}

// {"__repeat__": "x", "count": 3} stands for "xxx".
// NOLINTNEXTLINE(misc-no-recursion): as deep as the data
ordered_json expand(const ordered_json& value) {
    if (value.is_object() && value.contains("__repeat__")) {
        std::string text;
        for (int i = 0; i < value["count"].get<int>(); ++i) {
            text += value["__repeat__"].get<std::string>();
        }
        return text;
    }
    auto copy = value;
    if (value.is_structured()) {
        for (auto it = copy.begin(); it != copy.end(); ++it) {
            *it = expand(*it);
        }
    }
    return copy;
}

void add_documents(const fs::path& path, std::vector<ApiCase>& into) {
    const auto file = yaml::File::read(path);
    for (const auto& document : file.documents()) {
        const auto text_at = [&](std::string_view key) {
            const auto* value = document.root->find(key);
            return value == nullptr ? std::string_view() : value->as_string().value_or("");
        };
        const auto kind = text_at("kind");
        if (text_at("apiVersion") == group &&
            (kind == "WasmPlugin" || kind == "TrafficExtension")) {
            into.push_back(
                {fmt::format("real/{}#{}", path.stem().string(), document.index),
                 std::string(file.text().substr(document.range.begin, document.range.size()))});
        }
    }
}

}  // namespace

std::vector<ApiCase> own_cases() {
    std::istringstream lines(read_file(folder() / "cases.txt"));
    std::vector<ApiCase> cases;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("=== ")) {
            cases.push_back({line.substr(4), {}});
        } else if (!cases.empty()) {
            cases.back().text += line + "\n";
        }
    }
    for (auto& one : cases) {
        one.text.erase(one.text.find_last_not_of('\n') + 1);
        one.text = expanded(one.text + "\n");
    }
    return cases;
}

std::optional<fs::path> shared_manifests() {
    for (fs::path at = WASMPLUG_SOURCE_DIR; at != at.parent_path(); at = at.parent_path()) {
        const auto data = at / "shared" / "data" / "manifests";
        if (fs::is_directory(data)) {
            return data;
        }
    }
    return std::nullopt;
}

std::string manifest_text(const ordered_json& item) {
    ordered_json object = {{"apiVersion", item.value("apiVersion", std::string(group))},
                           {"kind", item["kind"]}};
    object["metadata"] = item.contains("metadata")
                             ? item["metadata"]
                             : ordered_json{{"name", "p"}, {"namespace", "default"}};
    object["spec"] = expand(item.contains("manifest") ? item["manifest"] : item["spec"]);
    return object.dump();
}

std::vector<ApiCase> shared_cases() {
    std::vector<ApiCase> cases;
    const auto data = shared_manifests();
    if (!data) {
        return cases;
    }
    for (const auto& path : find_files(
             *data / "real", [](const fs::path& file) { return file.extension() == ".yaml"; })) {
        add_documents(path, cases);
    }
    for (const std::string file : {"designed_cases", "trafficextension_cases"}) {
        for (const auto& item : ordered_json::parse(read_file(*data / (file + ".json")))) {
            cases.push_back(
                {fmt::format("{}/{}", file, item["id"].get<std::string>()), manifest_text(item)});
        }
    }
    std::size_t number = 0;
    for (const auto& item : ordered_json::parse(read_file(*data / "istio_unit_cases.json"))) {
        cases.push_back({fmt::format("istio_unit_cases/{}", number++), manifest_text(item)});
    }
    return cases;
}

std::string text_key(const std::string& text) {
    return sha256_hex(text).substr(0, 12);
}

ApiVerdicts read_verdicts(const fs::path& file) {
    const auto json = ordered_json::parse(read_file(file));
    ApiVerdicts all{.server = json["server"], .verdicts = {}};
    for (const auto& [name, item] : json["verdicts"].items()) {
        all.verdicts[name] = {.text = item["text"],
                              .status = item["status"],
                              .says = item["says"],
                              .strict = item["strict"]};
    }
    return all;
}

void write_verdicts(const fs::path& file, const ApiVerdicts& verdicts) {
    auto list = ordered_json::object();
    for (const auto& [name, verdict] : verdicts.verdicts) {
        list[name] = {{"text", verdict.text},
                      {"status", verdict.status},
                      {"says", verdict.says},
                      {"strict", verdict.strict}};
    }
    write_file(file, pretty_json({{"server", verdicts.server}, {"verdicts", list}}));
}

fs::path own_verdicts_file() {
    return folder() / "verdicts.json";
}

fs::path shared_verdicts_file() {
    return folder() / "shared-verdicts.json";
}

}  // namespace wasmplug::test
