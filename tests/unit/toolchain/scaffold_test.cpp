#include "toolchain/scaffold.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "toolchain/project.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;

TEST(Scaffold, EveryLanguageHasEveryPattern) {
    EXPECT_EQ(templates().size(), template_languages().size() * template_patterns().size());
    for (const auto& language : template_languages()) {
        for (const auto& pattern : template_patterns()) {
            EXPECT_NE(find_template(language, pattern), nullptr) << language << " " << pattern;
        }
    }
    EXPECT_EQ(find_template("cobol", "transform"), nullptr);
}

TEST(Scaffold, EveryProjectHasItsPlainFiles) {
    for (const auto& one : templates()) {
        EXPECT_EQ(find_template(one.language, one.pattern)->files.data(), one.files.data());
        EXPECT_FALSE(describe_pattern(one.pattern).empty());
        std::set<std::string_view> paths;
        for (const auto& file : one.files) {
            paths.insert(file.path);
            EXPECT_FALSE(file.text.empty()) << file.path;
        }
        for (const auto* file : {"my-plugin.test.yaml", "plugin.yaml", "config.schema.json",
                                 "README.md", "Dockerfile", ".gitignore"}) {
            EXPECT_TRUE(paths.count(file)) << one.language << " " << one.pattern << " " << file;
        }
    }
}

std::string text_of(const Template& project, std::string_view path) {
    for (const auto& file : project.files) {
        if (file.path == path) {
            return std::string(file.text);
        }
    }
    return {};
}

// "| `key` | `default` | …" of the README's table: the defaults by key; "required" has no marks.
std::map<std::string, std::string> configuration_in(const std::string& readme) {
    std::map<std::string, std::string> defaults;
    static const std::regex row(R"(\n\| `([a-z_]+)` \| `?([^`|]+?)`? \|)");
    for (std::sregex_iterator at(readme.begin(), readme.end(), row), end; at != end; ++at) {
        defaults[(*at)[1]] = (*at)[2];
    }
    return defaults;
}

TEST(Scaffold, ReadmeGivesTheKeysAndDefaultsOfTheSchema) {
    for (const auto& one : templates()) {
        SCOPED_TRACE(testing::Message() << one.language << " " << one.pattern);
        const auto schema = nlohmann::json::parse(text_of(one, "config.schema.json"));
        std::map<std::string, std::string> defaults;
        for (const auto& [key, rule] : schema["properties"].items()) {
            const auto value = rule.find("default");
            defaults[key] = value == rule.end()  ? "required"
                            : value->is_string() ? value->get<std::string>()
                                                 : value->dump();
        }
        EXPECT_EQ(configuration_in(text_of(one, "README.md")), defaults);
    }
}

TEST(Scaffold, ReadmeAndDockerfileNameOnlyWhatIsThere) {
    static const std::regex link(R"(\]\(([^):]+)\))");
    for (const auto& one : templates()) {
        SCOPED_TRACE(testing::Message() << one.language << " " << one.pattern);
        const std::string readme = text_of(one, "README.md");
        int links = 0;
        for (std::sregex_iterator at(readme.begin(), readme.end(), link), end; at != end; ++at) {
            EXPECT_NE(text_of(one, std::string((*at)[1])), "") << (*at)[1];
            ++links;
        }
        EXPECT_GE(links, 5);
        // What is copied into the image is what `build` makes, under the name that Istio reads.
        const Project project{.directory = ".", .name = "p", .version = "1"};
        EXPECT_NE(text_of(one, "Dockerfile")
                      .find("\nCOPY " + project.module().string() + " ./plugin.wasm\n"),
                  std::string::npos);
    }
}

TEST(Scaffold, EmbedsTheFilesByteForByte) {
    const fs::path root = fs::path(WASMPLUG_SOURCE_DIR) / "toolchain/templates";
    for (const auto& one : templates()) {
        for (const auto& file : one.files) {
            const fs::path path = root / one.language / one.pattern / file.path;
            EXPECT_EQ(read_file(path), file.text) << path;
        }
    }
}

TEST(Scaffold, LeavesOutWhatBuildingInPlaceMakes) {
    for (const auto& one : templates()) {
        for (const auto& file : one.files) {
            for (const auto* part : {"build/", "target/", "node_modules/", "dist/"}) {
                EXPECT_NE(file.path.substr(0, std::string_view(part).size()), part) << file.path;
            }
            EXPECT_NE(file.path, "Cargo.lock");
        }
    }
}

TEST(Scaffold, PutsTheNameInPathsAndTexts) {
    const auto file = render(
        {.path = "my-plugin/my_plugin.rs", .text = "my-plugin MyPlugin my_plugin_x"}, "rate-limit");
    EXPECT_EQ(file.path, "rate-limit/rate_limit.rs");
    EXPECT_EQ(file.text, "rate-limit RateLimit rate_limit_x");
}

TEST(Scaffold, LooksAtNothingItHasPutIn) {
    const auto file = render({.path = "a", .text = "my-plugin/my_plugin"}, "my-plugin-2");
    EXPECT_EQ(file.text, "my-plugin-2/my_plugin_2");
}

TEST(Scaffold, LeavesNoTraceOfThePlaceholder) {
    for (const auto& one : templates()) {
        for (const auto& file : render(one, "zz")) {
            for (const auto* word : {"my-plugin", "my_plugin", "MyPlugin", "myplugin"}) {
                EXPECT_EQ(file.text.find(word), std::string::npos) << one.language << file.path;
            }
        }
    }
}

TEST(Scaffold, LeavesBinaryFilesAsTheyAre) {
    const std::string bytes("my-plugin\0", 10);
    EXPECT_EQ(render({.path = "logo.png", .text = bytes}, "a").text, bytes);
}

TEST(Scaffold, TakesNamesThatEveryToolTakes) {
    for (const auto* name : {"a", "rate-limit", "x1", "a-1-b"}) {
        EXPECT_FALSE(plugin_name_fault(name)) << name;
    }
    for (const auto* name : {"", "1a", "-a", "a-", "a--b", "A", "a_b", "a.b", "ä", "a b", "../a"}) {
        EXPECT_TRUE(plugin_name_fault(name)) << name;
    }
    EXPECT_FALSE(plugin_name_fault(std::string(50, 'a')));
    EXPECT_TRUE(plugin_name_fault(std::string(51, 'a')));
}

TEST(Scaffold, MakesANameOfAFolder) {
    EXPECT_EQ(plugin_name_from("My Plugin_2"), "my-plugin-2");
    EXPECT_EQ(plugin_name_from("42-answers-"), "answers");
    EXPECT_EQ(plugin_name_from("..."), "");
    EXPECT_EQ(plugin_name_from(std::string(49, 'a') + "--b"), std::string(49, 'a'));
    for (const auto* folder : {"My Plugin_2", "__x__", "a..b", "-9-z-"}) {
        EXPECT_FALSE(plugin_name_fault(plugin_name_from(folder))) << folder;
    }
}

TEST(Scaffold, WritesNothingWhenOneFileExists) {
    const TemporaryDirectory directory;
    write_file(directory.path() / "b", "mine");
    const std::vector<NewFile> files = {{.path = "a", .text = "1"}, {.path = "b", .text = "2"}};
    try {
        write_project(directory.path(), files, Existing::keep);
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("already holds b"), std::string::npos);
        EXPECT_NE(error.hint().find("--force"), std::string::npos);
    }
    EXPECT_FALSE(fs::exists(directory.path() / "a"));
    EXPECT_EQ(read_file(directory.path() / "b"), "mine");

    write_project(directory.path(), files, Existing::overwrite);
    EXPECT_EQ(read_file(directory.path() / "b"), "2");
}

TEST(Scaffold, NamesThreeOfManyFilesThatExist) {
    const TemporaryDirectory directory;
    std::vector<NewFile> files;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        write_file(directory.path() / name, "mine");
        files.push_back({.path = name, .text = "1"});
    }
    try {
        write_project(directory.path(), files, Existing::keep);
        FAIL();
    } catch (const Error& error) {
        EXPECT_TRUE(std::string(error.what()).ends_with("already holds a, b, c and 2 more"))
            << error.what();
    }
}

TEST(Scaffold, KeepsADanglingLink) {
    const TemporaryDirectory directory;
    fs::create_symlink("nowhere", directory.path() / "a");
    EXPECT_THROW(write_project(directory.path(), {{.path = "a", .text = "1"}}, Existing::keep),
                 Error);
}

TEST(Scaffold, TakesEverythingBackWhenAWriteFails) {
    const TemporaryDirectory directory;
    const fs::path root = directory.path() / "new";
    write_file(directory.path() / "file", "");
    // "x/y" needs a folder where "x" has just become a file.
    const std::vector<NewFile> files = {{.path = "deep/down/a", .text = "1"},
                                        {.path = "x", .text = "2"},
                                        {.path = "x/y", .text = "3"}};
    EXPECT_THROW(write_project(root, files, Existing::keep), Error);
    EXPECT_FALSE(fs::exists(root));

    fs::create_directory(root);
    write_file(root / "x", "mine");
    EXPECT_THROW(write_project(root, files, Existing::overwrite), Error);
    EXPECT_EQ(read_file(root / "x"), "mine");
    EXPECT_FALSE(fs::exists(root / "deep"));
}

TEST(Scaffold, FollowsNoLinkThatLeadsOutOfATemplate) {
    const TemporaryDirectory directory;
    const TemporaryDirectory elsewhere;
    const fs::path root = directory.path();
    write_file(elsewhere.path() / "secret", "s");
    write_file(root / "a", "text");
    fs::create_symlink("a", root / "b");
    const auto files = read_template_folder(root);
    ASSERT_EQ(files.size(), 2U);
    EXPECT_EQ(files[1].text, "text") << "a link within it is a file of the project";
    for (const fs::path& target : {elsewhere.path() / "secret", elsewhere.path(), root}) {
        fs::create_symlink(target, root / "link");
        EXPECT_THROW(read_template_folder(root), Error) << target;
        fs::remove(root / "link");
    }
}

TEST(Scaffold, ReadsATemplateOfTheUsersOwn) {
    const TemporaryDirectory directory;
    const fs::path root = directory.path();
    for (const auto* folder : {".git", "target", "node_modules", ".github/workflows"}) {
        fs::create_directories(root / folder);
        write_file(root / folder / "f", "x");
    }
    write_file(root / "run.sh", "#!/bin/sh\n", 0755);
    const auto files = read_template_folder(root);
    ASSERT_EQ(files.size(), 2U);
    EXPECT_EQ(files[0].path, ".github/workflows/f");
    EXPECT_EQ(files[1].path, "run.sh");
    EXPECT_EQ(files[1].mode, 0755U);

    const TemporaryDirectory empty;
    EXPECT_THROW(read_template_folder(empty.path()), Error);
    EXPECT_THROW(read_template_folder(root / "nowhere"), Error);
}

}  // namespace
}  // namespace wasmplug::toolchain
