#include "release/git_history.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "release/history.hpp"

namespace wasmplug::release {
namespace {

namespace fs = std::filesystem;

class GitHistoryTest : public testing::Test {
  protected:
    void SetUp() override {
        git({"init", "-q", "-b", "main", repository_.string()}, folder_.path());
        services_.environment = process_environment;
    }

    void git(std::vector<std::string> arguments, const fs::path& where) {
        ProcessSpec spec;
        spec.argv = {"git", "-c", "user.name=Tester", "-c", "user.email=t@example.com"};
        spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
        spec.directory = where;
        const auto result = run_process(spec, {});
        ASSERT_EQ(result.exit_code, 0) << result.err;
    }

    void git(std::vector<std::string> arguments) { git(std::move(arguments), repository_); }

    void commit(const std::string& name, const std::string& text, const std::string& message) {
        write_file(repository_ / name, text);
        git({"add", "."});
        git({"commit", "-q", "-m", message});
    }

    std::string story(const GitHistory& history) {
        std::string all;
        for (const auto& version : history.versions) {
            all += version.subject + "=" + version.text + "@" + version.path + " ";
        }
        return all;
    }

    TemporaryDirectory folder_;
    fs::path repository_ = folder_.path() / "r";
    std::ostringstream out_, err_;
    Output output_{out_, err_};
    Services services_{.out = output_};
};

TEST_F(GitHistoryTest, FollowsRenamesAndNamesThePathOfThatTime) {
    commit("a.yaml", "one\ntwo\nthree\n", "first");
    git({"mv", "a.yaml", "b.yaml"});
    git({"commit", "-q", "-m", "move"});
    commit("b.yaml", "one\ntwo\nfour\n", "change");
    const auto history = read_git_history(repository_ / "b.yaml", services_);
    EXPECT_EQ(story(history),
              "change=one\ntwo\nfour\n@b.yaml move=one\ntwo\nthree\n@b.yaml "
              "first=one\ntwo\nthree\n@a.yaml ");
    EXPECT_FALSE(history.shallow);
    EXPECT_EQ(history.absence, "");
}

TEST_F(GitHistoryTest, TellsAReturnFromAChangeThatIsNotCommitted) {
    const auto plugin = [](const std::string& tag) {
        return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
               "metadata: {name: p}\nspec: {url: oci://r.example/p:" +
               tag + "}\n";
    };
    const fs::path path = repository_ / "p.yaml";
    const auto statuses = [&] {
        const auto located = locate(yaml::File::read(path));
        std::string all;
        for (const auto& row : history_of(located.at(0), HistorySource::git, services_).rows) {
            all += row.version + "=" + row.status + " ";
        }
        return all;
    };
    commit("p.yaml", plugin("1"), "first");
    commit("p.yaml", plugin("2"), "second");
    EXPECT_EQ(statuses(), "1=superseded 2=current ");
    write_file(path, plugin("3"));
    EXPECT_EQ(statuses(), "1=superseded 2=superseded 3=uncommitted ");
    commit("p.yaml", plugin("1"), "back");
    EXPECT_EQ(statuses(), "1=superseded 2=bad 1=current ");
}

TEST_F(GitHistoryTest, AMergeIsOneStepOfTheBranchItWasMergedInto) {
    commit("a.yaml", "1", "first");
    git({"checkout", "-q", "-b", "side"});
    commit("a.yaml", "2", "side 1");
    commit("a.yaml", "3", "side 2");
    git({"checkout", "-q", "main"});
    commit("other", "x", "elsewhere");
    git({"merge", "-q", "--no-ff", "-m", "merge", "side"});
    EXPECT_EQ(story(read_git_history(repository_ / "a.yaml", services_)),
              "merge=3@a.yaml first=1@a.yaml ");
}

TEST_F(GitHistoryTest, SaysThatAShallowCloneEndsEarly) {
    commit("a.yaml", "1", "first");
    commit("a.yaml", "2", "second");
    git({"clone", "-q", "--depth", "1", "file://" + repository_.string(), "c"}, folder_.path());
    const auto history = read_git_history(folder_.path() / "c" / "a.yaml", services_);
    EXPECT_TRUE(history.shallow);
    EXPECT_EQ(story(history), "second=2@a.yaml ");
}

TEST_F(GitHistoryTest, ReadsOddNamesAndStopsAtTheLimit) {
    const std::string name = "-ö \"q\" *[x].yaml";
    for (const char* text : {"1", "2", "3"}) {
        commit(name, text, std::string("set ") + text);
    }
    commit("other.yaml", "z", "other");
    const auto history = read_git_history(repository_ / name, services_, 2);
    EXPECT_TRUE(history.truncated);
    ASSERT_EQ(history.versions.size(), 2u);
    EXPECT_EQ(history.versions[1].text, "2");
    EXPECT_EQ(history.versions[1].author, "Tester");
    EXPECT_EQ(history.versions[1].commit.size(), 40u);
}

TEST_F(GitHistoryTest, SaysWhyThereIsNone) {
    write_file(folder_.path() / "x.yaml", "1");
    EXPECT_EQ(read_git_history(folder_.path() / "x.yaml", services_).absence,
              "it is not in a git work tree");
    write_file(repository_ / "x.yaml", "1");
    EXPECT_EQ(read_git_history(repository_ / "x.yaml", services_).absence,
              "nothing was committed there yet");
    commit("y.yaml", "1", "y");
    write_file(repository_ / "z.yaml", "1");
    const auto untracked = read_git_history(repository_ / "z.yaml", services_);
    EXPECT_TRUE(untracked.versions.empty());
    services_.spawn = [](const ProcessSpec&, const Cancel&) -> ProcessResult {
        throw Error("git is not on PATH");
    };
    EXPECT_EQ(read_git_history(repository_ / "y.yaml", services_).absence, "git is not installed");
}

TEST_F(GitHistoryTest, RunsNoProgramThatTheRepositoryNames) {
    commit("a.yaml", "1", "first");
    commit("a.yaml", "2", "second");
    const std::string trap = "touch " + (folder_.path() / "trapped").string() + "; cat";
    for (const char* key : {"core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv",
                            "core.sshCommand", "gpg.program"}) {
        git({"config", key, trap});
    }
    git({"config", "log.showSignature", "true"});
    write_file(repository_ / ".gitattributes", "*.yaml diff=x\n");
    EXPECT_EQ(story(read_git_history(repository_ / "a.yaml", services_)),
              "second=2@a.yaml first=1@a.yaml ");
    EXPECT_FALSE(fs::exists(folder_.path() / "trapped"));
}

TEST_F(GitHistoryTest, WorksInsideAHookOfAnotherRepository) {
    commit("a.yaml", "1", "first");
    ::setenv("GIT_DIR", "/nonexistent", 1);
    const auto history = read_git_history(repository_ / "a.yaml", services_);
    ::unsetenv("GIT_DIR");
    EXPECT_EQ(history.versions.size(), 1u);
}

}  // namespace
}  // namespace wasmplug::release
