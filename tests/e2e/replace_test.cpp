// A file that is being replaced, while the process is killed, or the system refuses, at each of
// the system calls on the way: what is there afterwards is the old file or the new one.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

// The `number`th call of `name`, counted from the start of the process as strace does.
struct Call {
    std::string name;
    int number;
};

class Replace : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("strace");
        before_ =
            "# kept\r\napiVersion: extensions.istio.io/v1alpha1\r\nkind: WasmPlugin\r\n"
            "metadata: {name: auth}\r\nspec:\r\n  url: 'oci://r.example/auth:1.0.0' # too\r\n";
        reset();
        const auto ran = traced({"-o", "calls.txt"});
        ASSERT_EQ(ran.exit_code, 0) << ran.err;
        after_ = sandbox_.read("d/m.yaml");
        ASSERT_NE(after_, before_);
        calls_ = calls_of(sandbox_.read("calls.txt"));
        // Reading, locking, writing beside it, and putting it there.
        for (const auto* name : {"openat", "flock", "fchmod", "write", "fsync", "rename"}) {
            ASSERT_TRUE(std::ranges::any_of(calls_, [&](const Call& call) {
                return call.name == name;
            })) << name;
        }
    }

    void reset() {
        fs::remove_all(sandbox_.work() / "d");
        sandbox_.write("d/m.yaml", before_);
        fs::permissions(sandbox_.work() / "d/m.yaml", mode);
    }

    // Without a history, which would hold the time.
    static std::vector<std::string> update() {
        return {"update",   "d/m.yaml",           "r.example/auth:1.1.0",
                "--sha256", std::string(64, 'a'), "--history",
                "none",     "--offline",          "-q"};
    }

    ProcessResult traced(std::vector<std::string> options) {
        std::vector<std::string> argv{"strace", "-f", "-qq"};
        argv.insert(argv.end(), options.begin(), options.end());
        argv.push_back("wasmplug");
        const auto words = update();
        argv.insert(argv.end(), words.begin(), words.end());
        return sandbox_.run_program(std::move(argv));
    }

    ProcessResult inject(const Call& call, const std::string& fault) {
        reset();
        return traced(
            {"-o", "/dev/null", "-e", "trace=" + call.name, "-e",
             "inject=" + call.name + ":" + fault + ":when=" + std::to_string(call.number)});
    }

    // Every call from the first look at the file on; what only concerns memory is left out.
    static std::vector<Call> calls_of(const std::string& log) {
        std::map<std::string, int> numbers;
        std::vector<Call> calls;
        bool begun = false;
        std::istringstream lines(log);
        for (std::string line; std::getline(lines, line);) {
            const auto start = line.find_first_not_of("0123456789 ");
            const auto end = line.find('(');
            if (start == std::string::npos || end == std::string::npos || line[start] == '<' ||
                line[start] == '+') {
                continue;
            }
            const std::string name = line.substr(start, end - start);
            const int number = ++numbers[name];
            begun = begun || (name == "openat" && line.find("d/m.yaml") != std::string::npos);
            if (begun && name != "brk" && name != "mmap" && name != "munmap") {
                calls.push_back({name, number});
            }
        }
        return calls;
    }

    bool has_leftover() const {
        const auto files = sandbox_.files();
        return std::ranges::any_of(files, [](const std::string& file) {
            return file.starts_with("d/") && file != "d/m.yaml";
        });
    }

    static constexpr auto mode =
        fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read;

    fs::perms mode_now() const { return fs::status(sandbox_.work() / "d/m.yaml").permissions(); }

    Sandbox sandbox_;
    std::string before_;
    std::string after_;
    std::vector<Call> calls_;
};

TEST_F(Replace, KilledAtAnyCallLeavesTheOldFileOrTheNewOne) {
    int old_files = 0;
    int new_files = 0;
    for (const auto& call : calls_) {
        const auto ran = inject(call, "signal=KILL");
        const std::string at = call.name + " " + std::to_string(call.number);
        EXPECT_EQ(ran.exit_code, 128 + SIGKILL) << at;
        const std::string now = sandbox_.read("d/m.yaml");
        EXPECT_TRUE(now == before_ || now == after_) << at << ":\n" << now;
        EXPECT_EQ(mode_now(), mode) << at;
        (now == before_ ? old_files : new_files) += 1;
        // What the killed run left is taken away by the next, which finds nothing locked.
        const auto again = sandbox_.run(update());
        EXPECT_EQ(again.exit_code, 0) << at << ": " << again.err;
        EXPECT_EQ(sandbox_.read("d/m.yaml"), after_) << at;
        EXPECT_TRUE(now == after_ || !has_leftover()) << at;
    }
    EXPECT_GT(old_files, 0);
    EXPECT_GT(new_files, 0);
}

// Several files are written side by side, by threads whose calls strace counts apart: so the n-th
// call of any of them is the one.
TEST_F(Replace, KilledAmongSeveralFilesLeavesEachOldOrNewAndCanBeRepeated) {
    const std::vector<std::string> files{"d/a.yaml", "d/b.yaml", "d/deep/c.yaml"};
    const std::vector<std::string> words{
        "update", "d",        "r.example/auth:1.1.0", "--sha256", std::string(64, 'a'), "--history",
        "none",   "--offline"};
    std::vector<std::string> seen;
    for (const auto* name : {"fchmod", "write", "fsync", "rename"}) {
        for (int number = 1; number <= 3; ++number) {
            fs::remove_all(sandbox_.work() / "d");
            for (const auto& file : files) {
                sandbox_.write(file, before_);
            }
            std::vector<std::string> argv{
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                std::string("trace=") + name,
                "-e",
                std::string("inject=") + name + ":signal=KILL:when=" + std::to_string(number),
                "wasmplug"};
            argv.insert(argv.end(), words.begin(), words.end());
            const auto ran = sandbox_.run_program(std::move(argv));
            const std::string at = std::string(name) + " " + std::to_string(number);
            std::string state;
            for (const auto& file : files) {
                const std::string now = sandbox_.read(file);
                EXPECT_TRUE(now == before_ || now == after_) << at << ": " << file << ":\n" << now;
                state += now == before_ ? "old " : "new ";
            }
            if (ran.exit_code == 0) {
                EXPECT_EQ(state, "new new new ") << at;
                continue;
            }
            EXPECT_EQ(ran.exit_code, 128 + SIGKILL) << at << ": " << ran.err;
            seen.push_back(state);
            EXPECT_EQ(sandbox_.run(words).exit_code, 0) << at;
            for (const auto& file : files) {
                EXPECT_EQ(sandbox_.read(file), after_) << at;
            }
        }
    }
    // Before the first of them, and between two.
    EXPECT_TRUE(std::ranges::count(seen, "old old old ") > 0);
    EXPECT_TRUE(std::ranges::count(seen, "new old old ") > 0);
}

TEST_F(Replace, AFailureBetweenFilesIsToldWithTheNamesOfThoseBeforeIt) {
    const std::vector<std::string> files{"d/a.yaml", "d/b.yaml", "d/deep/c.yaml"};
    const std::vector<std::string> words{
        "update", "d",        "r.example/auth:1.1.0", "--sha256", std::string(64, 'a'), "--history",
        "none",   "--offline"};
    for (const char* error : {"EIO", "ENOSPC"}) {
        for (int number = 1; number <= 3; ++number) {
            fs::remove_all(sandbox_.work() / "d");
            for (const auto& file : files) {
                sandbox_.write(file, before_);
            }
            std::vector<std::string> argv{"strace", "-f",           "-qq", "-o", "/dev/null",
                                          "-e",     "trace=rename", "-e",  "",   "wasmplug"};
            argv[8] =
                std::string("inject=rename:error=") + error + ":when=" + std::to_string(number);
            argv.insert(argv.end(), words.begin(), words.end());
            const auto ran = sandbox_.run_program(std::move(argv));
            const std::string at = error + std::string(" ") + std::to_string(number) + ": ";
            EXPECT_EQ(ran.exit_code, 1) << at << ran.err;
            const auto left = ran.err.find("; not written: ");
            int written = 0;
            for (const auto& file : files) {
                const bool is_new = sandbox_.read(file) == after_;
                EXPECT_TRUE(is_new || sandbox_.read(file) == before_) << at << file;
                written += is_new ? 1 : 0;
                if (number > 1) {
                    EXPECT_EQ(ran.err.find(file, ran.err.find("written before: ")) < left, is_new)
                        << at << ran.err;
                }
            }
            EXPECT_EQ(written, number - 1) << at << ran.err;
            EXPECT_EQ(left != std::string::npos, number > 1) << ran.err;
            EXPECT_EQ(sandbox_.run(words).exit_code, 0);
            for (const auto& file : files) {
                EXPECT_EQ(sandbox_.read(file), after_) << at;
            }
        }
    }
}

TEST_F(Replace, AReadOnlyFileIsLeftAlone) {
    reset();
    fs::permissions(sandbox_.work() / "d/m.yaml", fs::perms::owner_read);
    const auto refused = sandbox_.run(update());
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("d/m.yaml cannot be written: it is read-only"), std::string::npos)
        << refused.err;
    EXPECT_EQ(sandbox_.read("d/m.yaml"), before_);
}

TEST_F(Replace, TheOtherNameOfAHardLinkIsSpokenOf) {
    reset();
    fs::create_hard_link(sandbox_.work() / "d/m.yaml", sandbox_.work() / "d/other.yaml");
    const auto updated = sandbox_.run(update());
    EXPECT_EQ(updated.exit_code, 0);
    EXPECT_NE(updated.err.find("d/m.yaml is a hard link: its other name keeps the old text"),
              std::string::npos)
        << updated.err;
    EXPECT_EQ(sandbox_.read("d/m.yaml"), after_);
    EXPECT_EQ(sandbox_.read("d/other.yaml"), before_);
}

TEST_F(Replace, AFileOfSeveralMegabytesComesBackByteForByte) {
    std::string big;
    for (int i = 0; big.size() < 3'000'000; ++i) {
        big += "---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: c" +
               std::to_string(i) + "}\r\ndata: {a: 'long enough to fill a file'}\r\n";
    }
    big += "---\r\n" + before_ + "---\r\nkind: Secret\r\napiVersion: v1\r\n";
    sandbox_.write("d/m.yaml", big);
    auto words = update();
    words.erase(std::ranges::find(words, "--history"), std::ranges::find(words, "--offline"));
    ASSERT_EQ(sandbox_.run(words).exit_code, 0);
    const auto at = big.size() - before_.size();
    EXPECT_EQ(sandbox_.read("d/m.yaml").substr(0, at - 200), big.substr(0, at - 200));
    ASSERT_EQ(sandbox_.run({"rollback", "d/m.yaml", "--offline"}).exit_code, 0);
    std::string now = sandbox_.read("d/m.yaml");
    EXPECT_NE(now, big);
    EXPECT_NE(now.find("url: 'oci://r.example/auth:1.0.0' # too\r\n"), std::string::npos);
    EXPECT_TRUE(now.ends_with("---\r\nkind: Secret\r\napiVersion: v1\r\n"));
}

class ReplaceWithout : public Replace, public testing::WithParamInterface<std::string> {};

TEST_P(ReplaceWithout, ACallThatFailsIsToldAndLeavesNoHalfFile) {
    int refused = 0;
    for (const auto& call : calls_) {
        static const std::vector<std::string> tried{"openat", "flock",  "fchmod", "write",
                                                    "fsync",  "rename", "read"};
        if (std::ranges::find(tried, call.name) == tried.end()) {
            continue;
        }
        const auto ran = inject(call, "error=" + GetParam());
        const std::string at = call.name + " " + std::to_string(call.number) + ": " + ran.err;
        const std::string now = sandbox_.read("d/m.yaml");
        EXPECT_TRUE(now == before_ || now == after_) << at << now;
        EXPECT_EQ(mode_now(), mode) << at;
        EXPECT_FALSE(has_leftover()) << at;
        if (ran.exit_code == 0) {
            EXPECT_EQ(now, after_) << at;
        } else {
            EXPECT_EQ(ran.exit_code, 1) << at;
            EXPECT_TRUE(ran.err.starts_with("error: ")) << at;
            ++refused;
        }
    }
    EXPECT_GE(refused, 6);
}

INSTANTIATE_TEST_SUITE_P(Errors, ReplaceWithout, testing::Values("EIO", "ENOSPC"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wasmplug::test
