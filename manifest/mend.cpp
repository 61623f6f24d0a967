#include "manifest/mend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "base/yaml_edit.hpp"

namespace wasmplug::manifest {
namespace {

constexpr int round_limit = 16;  // of names inside names: the schema is six deep

struct Repair {
    const DocumentResult* document;
    const Diagnostic* finding;
    yaml::Path path;  // below the document's root
};

// From the end of the file to its beginning, so that what is done does not move what is to do.
std::vector<Repair> repairs_in(const std::vector<DocumentResult>& results) {
    std::vector<Repair> repairs;
    std::set<std::tuple<std::size_t, std::string>> seen;
    for (const auto& document : results) {
        for (const auto& finding : document.findings) {
            const auto below = yaml::Path::parse(finding.path);
            if (!finding.right || finding.rule->mending == Mending::none || !below) {
                continue;
            }
            const auto path =
                document.item ? yaml::Path{"items"} / *document.item / *below : *below;
            if (seen.emplace(document.index, path.to_string()).second) {
                repairs.push_back({&document, &finding, path});
            }
        }
    }
    std::stable_sort(repairs.begin(), repairs.end(), [](const Repair& a, const Repair& b) {
        return std::tuple(a.finding->begin.line, a.finding->begin.column) >
               std::tuple(b.finding->begin.line, b.finding->begin.column);
    });
    return repairs;
}

nlohmann::ordered_json value_of(const Right& right) {
    return right.is_number ? nlohmann::ordered_json::parse(right.text)
                           : nlohmann::ordered_json(right.text);
}

std::string carry_out(const Repair& repair, yaml::Editor& editor) {
    const auto& right = *repair.finding->right;
    const auto index = repair.document->index;
    switch (repair.finding->rule->mending) {
        case Mending::none:
            break;
        case Mending::value:
            if (right.in_list) {
                editor.wrap(index, repair.path);
                return "made the only item of a list";
            }
            editor.set(index, repair.path, value_of(right), {"apiVersion", "kind"});
            return right.is_number ? "wrote " + right.text
                                   : fmt::format("wrote \"{}\"", right.text);
        case Mending::key:
            editor.rename(index, repair.path, right.text);
            return "renamed to " + right.text;
        case Mending::removal:
            editor.remove(index, repair.path);
            return "taken out";
        case Mending::merging:
            editor.merge_duplicates(index, repair.path);
            return "left once";
    }
    return {};
}

}  // namespace

MendResult mend(const yaml::File& file, const Judge& judge) {
    MendResult result;
    auto now = file;
    std::set<std::tuple<std::size_t, std::string, std::string>> given_up;
    for (int round = 0; round < round_limit; ++round) {
        const auto results = judge(now);
        const auto repairs = repairs_in(results);
        std::vector<Mended> mended;
        for (const auto& repair : repairs) {
            const auto key = std::tuple(repair.document->index, repair.path.to_string(),
                                        std::string(repair.finding->rule->id));
            if (given_up.contains(key)) {
                continue;
            }
            try {
                yaml::Editor editor(now);
                auto done = carry_out(repair, editor);
                if (!editor.changed()) {
                    throw now.error({}, "nothing would change");
                }
                now = editor.file();
                mended.push_back({.finding = *repair.finding,
                                  .file = file.name(),
                                  .document = repair.document->index,
                                  .done = std::move(done)});
            } catch (const Error& error) {
                given_up.insert(key);
                result.refused.emplace_back(error.what());
            }
        }
        if (mended.empty()) {
            break;
        }
        result.mended.insert(result.mended.end(), mended.rbegin(), mended.rend());
    }
    result.text = now.text();
    return result;
}

}  // namespace wasmplug::manifest
