#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace wasmplug::test {

// A manifest that a real API server was asked about.
struct ApiCase {
    std::string name;
    std::string text;
};

// tests/data/manifests/api-server/cases.txt.
std::vector<ApiCase> own_cases();

// What lies beside the repository in shared/data/manifests, where it is there: real files,
// document by document, and the cases that were designed.
std::optional<std::filesystem::path> shared_manifests();
std::vector<ApiCase> shared_cases();

// The manifest of a case in one of the JSON files of shared/data/manifests.
std::string manifest_text(const nlohmann::ordered_json& item);

// What the server answered, with Status's details in its own words.
struct ApiVerdict {
    std::string text;  // begins the hash of the case's text, which may have changed since
    int status = 0;    // of a client that ignores unknown and duplicate fields: 201, 400, 422 …
    std::vector<std::string> says;    // each cause as "field: message", or the whole message
    std::vector<std::string> strict;  // what fieldValidation=Strict adds

    bool operator==(const ApiVerdict&) const = default;
};

struct ApiVerdicts {
    std::string server;  // KubeServer::version_key()
    std::map<std::string, ApiVerdict> verdicts;
};

std::string text_key(const std::string& text);

ApiVerdicts read_verdicts(const std::filesystem::path& file);
void write_verdicts(const std::filesystem::path& file, const ApiVerdicts& verdicts);

// tests/data/manifests/api-server/verdicts.json and shared-verdicts.json.
std::filesystem::path own_verdicts_file();
std::filesystem::path shared_verdicts_file();

}  // namespace wasmplug::test
