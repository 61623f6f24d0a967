#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "base/error.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;

std::size_t entries_in(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(File, ReadsWhatWasWritten) {
    const TemporaryDirectory dir;
    const std::string bytes("a\0b\r\n\xff", 6);
    write_file(dir.path() / "x", bytes);
    EXPECT_EQ(read_file(dir.path() / "x"), bytes);
    EXPECT_EQ(read_file_if_there(dir.path() / "nothing"), std::nullopt);
}

TEST(File, NamesTheFileThatCannotBeRead) {
    try {
        read_file("no/such/file");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "cannot read no/such/file: No such file or directory");
    }
}

TEST(File, RefusesMoreThanItsLimit) {
    const TemporaryDirectory dir;
    write_file(dir.path() / "x", std::string(100, 'x'));
    EXPECT_NO_THROW(read_file(dir.path() / "x", 100));
    EXPECT_THROW(read_file(dir.path() / "x", 99), Error);
}

TEST(File, ReplacingKeepsTheModeAndLeavesNoTemporaryFile) {
    const TemporaryDirectory dir;
    const fs::path path = dir.path() / "x";
    write_file(path, "old");
    ::chmod(path.c_str(), 0640);
    write_file(path, "new");
    struct stat info = {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0640U);
    EXPECT_EQ(read_file(path), "new");
    EXPECT_EQ(entries_in(dir.path()), 1U);
}

TEST(File, ReplacingFollowsASymbolicLink) {
    const TemporaryDirectory dir;
    write_file(dir.path() / "real", "old");
    fs::create_symlink("real", dir.path() / "link");
    write_file(dir.path() / "link", "new");
    EXPECT_TRUE(fs::is_symlink(dir.path() / "link"));
    EXPECT_EQ(read_file(dir.path() / "real"), "new");
}

TEST(File, AnAbandonedWriteLeavesTheOldFile) {
    const TemporaryDirectory dir;
    write_file(dir.path() / "x", "old");
    {
        AtomicFile file(dir.path() / "x");
        file.write("half of the ne");
    }
    EXPECT_EQ(read_file(dir.path() / "x"), "old");
    EXPECT_EQ(entries_in(dir.path()), 1U);
}

TEST(LockedFile, RefusesToReplaceAFileThatChangedMeanwhile) {
    const TemporaryDirectory dir;
    const fs::path path = dir.path() / "x";
    write_file(path, "one");
    LockedFile file(path);
    std::ofstream(path) << "two";
    try {
        file.replace("three");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::changed);
    }
    EXPECT_EQ(read_file(path), "two");
}

TEST(LockedFile, SweepsWhatAKilledRunLeft) {
    const TemporaryDirectory dir;
    write_file(dir.path() / "x", "one");
    write_file(dir.path() / ".x.wasmplug-abc123", "half");
    write_file(dir.path() / ".y.wasmplug-abc123", "somebody else's");
    LockedFile file(dir.path() / "x");
    EXPECT_FALSE(fs::exists(dir.path() / ".x.wasmplug-abc123"));
    EXPECT_TRUE(fs::exists(dir.path() / ".y.wasmplug-abc123"));
}

TEST(LockedFile, TakesAFileThatIsNotThereForEmptyWhenAsked) {
    const TemporaryDirectory dir;
    EXPECT_THROW(LockedFile(dir.path() / "x"), Error);
    {
        LockedFile file(dir.path() / "x", LockedFile::Missing::empty);
        EXPECT_EQ(file.text(), "");
        file.replace("one");
        file.replace("two");
    }
    EXPECT_EQ(read_file(dir.path() / "x"), "two");
    LockedFile gone(dir.path() / "y", LockedFile::Missing::empty);
    std::ofstream(dir.path() / "y") << "somebody else's";
    EXPECT_THROW(gone.replace("mine"), Error);
}

TEST(File, SeveralNewFilesGetTheirNamesTogether) {
    const TemporaryDirectory dir;
    fs::create_directory(dir.path() / "sub");
    std::vector<std::unique_ptr<AtomicFile>> files;
    for (const char* name : {"a", "sub/b", "sub/c"}) {
        files.push_back(std::make_unique<AtomicFile>(dir.path() / name));
        files.back()->write(name);
    }
    EXPECT_FALSE(fs::exists(dir.path() / "a"));
    commit_all(files);
    EXPECT_EQ(read_file(dir.path() / "sub/c"), "sub/c");
    EXPECT_EQ(entries_in(dir.path() / "sub"), 2U);
    EXPECT_EQ(entries_in(dir.path()), 2U);
}

TEST(LockedFile, WritesNothingWhenNothingChanges) {
    const TemporaryDirectory dir;
    const fs::path path = dir.path() / "x";
    write_file(path, "same");
    const auto before = fs::last_write_time(path);
    LockedFile file(path);
    file.replace("same");
    EXPECT_EQ(fs::last_write_time(path), before);
}

TEST(ReplaceFiles, ReplacesFilesOfManyFoldersAndSweepsBesideThem) {
    const TemporaryDirectory dir;
    std::vector<Replacement> files;
    for (int i = 0; i < 300; ++i) {
        const fs::path folder = dir.path() / std::to_string(i % 150);
        fs::create_directories(folder);
        files.push_back({folder / std::to_string(i), "old", i == 7 ? "old" : "new"});
        write_file(files.back().path, "old");
        fs::permissions(files.back().path, fs::perms::owner_read | fs::perms::owner_write);
    }
    write_file(dir.path() / "3/.3.wasmplug-abc123", "half");
    std::size_t written = 0;
    replace_files(files, Cancel{}, written);
    EXPECT_EQ(written, 299U);
    for (const auto& file : files) {
        EXPECT_EQ(read_file(file.path), file.after) << file.path;
        EXPECT_EQ(fs::status(file.path).permissions(),
                  fs::perms::owner_read | fs::perms::owner_write);
    }
    EXPECT_EQ(entries_in(dir.path() / "3"), 2U);
}

TEST(ReplaceFiles, WritesNothingWhenTheLastOfThemHasChanged) {
    const TemporaryDirectory dir;
    fs::create_directory_symlink(".", dir.path() / "again");
    write_file(dir.path() / "a", "old");
    write_file(dir.path() / "b", "somebody's");
    // The same folder by two names, which must not wait for its own lock.
    std::vector<Replacement> files{{dir.path() / "a", "old", "new"},
                                   {dir.path() / "again/b", "old", "new"}};
    std::size_t written = 9;
    try {
        replace_files(files, Cancel{}, written);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::changed);
    }
    EXPECT_EQ(written, 0U);
    EXPECT_EQ(read_file(dir.path() / "a"), "old");
    files[1].before = "somebody's";
    replace_files(files, Cancel{}, written);
    EXPECT_EQ(written, 2U);
    EXPECT_EQ(read_file(dir.path() / "b"), "new");
}

TEST(File, ReadsPartsOfALargeFile) {
    const TemporaryDirectory dir;
    write_file(dir.path() / "x", "0123456789");
    const FileReader reader(dir.path() / "x");
    std::string part(4, ' ');
    EXPECT_EQ(reader.size(), 10U);
    EXPECT_EQ(reader.read_at(3, part), 4U);
    EXPECT_EQ(part, "3456");
    EXPECT_EQ(reader.read_at(8, part), 2U);
}

TEST(FindFiles, IsSortedAndSkipsWhatToolsLeave) {
    const TemporaryDirectory dir;
    for (const char* name : {"b.yaml", "a/c.yaml", ".git/x.yaml", "node_modules/y.yaml", "z.txt"}) {
        fs::create_directories((dir.path() / name).parent_path());
        write_file(dir.path() / name, "");
    }
    const auto found =
        find_files(dir.path(), [](const fs::path& path) { return path.extension() == ".yaml"; });
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0], dir.path() / "a/c.yaml");
    EXPECT_EQ(found[1], dir.path() / "b.yaml");
    EXPECT_THROW(find_files(dir.path() / "nowhere", [](const auto&) { return true; }), Error);
    const auto hidden = find_files(
        dir.path(), [](const fs::path&) { return true; },
        [&](const fs::path& folder) { return folder == dir.path() / ".git"; });
    EXPECT_EQ(hidden, (std::vector{dir.path() / ".git/x.yaml", dir.path() / "b.yaml",
                                   dir.path() / "z.txt"}));
}

TEST(File, IsBelowAFolderThatItsPathGoesThrough) {
    EXPECT_TRUE(is_below("a/b/c", "a/b"));
    EXPECT_TRUE(is_below("a/b", "a/b"));
    EXPECT_FALSE(is_below("a/bc", "a/b"));
    EXPECT_FALSE(is_below("/a", "b"));
}

}  // namespace
}  // namespace wasmplug
