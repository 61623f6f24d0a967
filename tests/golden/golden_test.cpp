// What wasmplug prints, byte for byte. WASMPLUG_ACCEPT=1 rewrites the files; read the diff.
//
// tests/golden/help/COMMAND.out  every --help
// tests/golden/NAME.cmd          lines for sh, each run on its own in one sandbox, whose
//                                folder starts with a copy of tests/golden/NAME.in/ if there is
//                                one. "# needs cpp" names a toolchain; other comments are prose.
//                .out, .err      what the lines said; before each stands "$ LINE", and after one
//                                that did not exit with 0 stands "[exit N]"; "cd" lasts
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path(WASMPLUG_SOURCE_DIR) / "tests/golden";

bool accepting() {
    const char* accept = std::getenv("WASMPLUG_ACCEPT");
    return accept != nullptr && std::string(accept) == "1";
}

void expect_golden(const fs::path& file, const std::string& actual) {
    if (accepting()) {
        fs::create_directories(file.parent_path());
        if (read_file_if_there(file) != actual) {
            write_file(file, actual);
        }
        return;
    }
    EXPECT_EQ(read_file_if_there(file).value_or(""), actual)
        << file.filename() << " differs; WASMPLUG_ACCEPT=1 tools/test --only golden rewrites it";
}

// What differs from one machine or day to another: paths, times, digests and sizes of what a
// compiler made.
std::string normalised(std::string text, const Sandbox& sandbox) {
    const std::string root = sandbox.work().parent_path().string();
    for (auto at = text.find(root); at != std::string::npos; at = text.find(root)) {
        text.replace(at, root.size(), "SANDBOX");
    }
    static const std::vector<std::pair<std::regex, std::string>> patterns = {
        {std::regex("[0-9a-f]{64}"), "DIGEST"},
        {std::regex("[0-9a-f]{7,63}…"), "DIGEST…"},
        {std::regex(R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)"), "TIME"},
        {std::regex(R"(\b\d+(\.\d+)? (ms|s|µs)\b)"), "DURATION"},
        {std::regex(R"(\d+ -> \d+ bytes)"), "SIZE -> SIZE"},
        {std::regex(R"(\b\d+(\.\d+)? (B|KiB|MiB)( +))"), "SIZE$3"},
        {std::regex(R"(\b\d+(\.\d+)? (B|KiB|MiB)\b)"), "SIZE"},
    };
    for (const auto& [pattern, name] : patterns) {
        text = std::regex_replace(text, pattern, name);
    }
    return text;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST(Help, OfEveryCommandIsPinned) {
    Sandbox sandbox;
    std::set<std::string> files;
    std::vector<std::string> commands = lines_of(sandbox.run({"__commands"}).out);
    ASSERT_FALSE(commands.empty());
    commands.insert(commands.begin(), "wasmplug");
    for (const auto& command : commands) {
        const auto result =
            command == "wasmplug" ? sandbox.run({"--help"}) : sandbox.run({command, "--help"});
        EXPECT_EQ(result.exit_code, 0);
        EXPECT_EQ(result.err, "");
        for (const auto& line : lines_of(result.out)) {
            EXPECT_LE(line.size(), 80U + 2U * static_cast<unsigned>(
                                                  std::count(line.begin(), line.end(), '\xe2')))
                << command << ": wider than 80 columns: " << line;
        }
        files.insert(command + ".out");
        expect_golden(golden / "help" / (command + ".out"), result.out);
    }
    for (const auto& entry : fs::directory_iterator(golden / "help")) {
        const auto name = entry.path().filename().string();
        if (!files.contains(name) && accepting()) {
            fs::remove(entry.path());
        } else {
            EXPECT_TRUE(files.contains(name)) << name << " belongs to no command";
        }
    }
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, Session) {
    const fs::path base = golden / GetParam();
    Sandbox sandbox;
    if (fs::exists(base.string() + ".in")) {
        fs::copy(base.string() + ".in", sandbox.work(), fs::copy_options::recursive);
    }
    std::string out;
    std::string err;
    std::string folder;  // the "cd" lines so far
    for (const auto& line : lines_of(read_file(base.string() + ".cmd"))) {
        if (line.starts_with("# needs ")) {
            const auto language = line.substr(8);
            WASMPLUG_NEEDS(wants_language(language) && use_toolchain(sandbox, language), language);
        }
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        if (line.starts_with("cd ")) {
            folder += line + " && ";
            out += "$ " + line + "\n";
            continue;
        }
        const auto result = sandbox.shell(folder + line);
        const std::string code =
            result.exit_code == 0 ? "" : "[exit " + std::to_string(result.exit_code) + "]\n";
        out += "$ " + line + "\n" + result.out + code;
        if (!result.err.empty()) {
            err += "$ " + line + "\n" + result.err;
        }
    }
    expect_golden(base.string() + ".out", normalised(out, sandbox));
    expect_golden(base.string() + ".err", normalised(err, sandbox));
    if (GetParam() == "readme") {
        const auto readme = read_file(golden.parent_path().parent_path() / "README.md");
        const std::string_view open = "```console\n";
        const auto start = readme.find(open) + open.size();
        const auto session = readme.substr(start, readme.find("```\n", start) - start);
        EXPECT_EQ(normalised(session, sandbox), normalised(out, sandbox))
            << "README.md shows another session";
    }
}

std::vector<std::string> sessions() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(golden)) {
        if (entry.path().extension() == ".cmd") {
            names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(sessions()), [](const auto& session) {
    std::string name = session.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

}  // namespace
}  // namespace wasmplug::test
