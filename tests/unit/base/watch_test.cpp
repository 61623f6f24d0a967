#include "base/watch.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;

bool not_build(const fs::path& folder) {
    return folder.filename() != "build";
}

// Long enough that a change which must not be seen would have been.
const auto limit = std::chrono::milliseconds(400);

TEST(Watch, SeesFilesOfEveryFolderButTheRefusedOnes) {
    const TemporaryDirectory root;
    fs::create_directories(root.path() / "src/deep");
    fs::create_directories(root.path() / "build");
    Watch watch({root.path()}, not_build);
    write_file(root.path() / "src/deep/a.cc", "1");
    write_file(root.path() / "build/b.o", "1");
    const auto changed = watch.wait(Cancel{});
    EXPECT_NE(std::find(changed.begin(), changed.end(), root.path() / "src/deep/a.cc"),
              changed.end());
    for (const auto& path : changed) {
        EXPECT_EQ(path.parent_path(), root.path() / "src/deep");
    }
    EXPECT_THROW(watch.wait(Cancel{}.within(limit, "limit")), Error) << "nothing happened since";
}

TEST(Watch, SeesFoldersThatAreMadeLaterAndWhatIsRemoved) {
    const TemporaryDirectory root;
    write_file(root.path() / "old", "");
    Watch watch({root.path()}, not_build);
    fs::create_directories(root.path() / "new");
    write_file(root.path() / "new/a", "1");
    const auto made = watch.wait(Cancel{});
    EXPECT_NE(std::find(made.begin(), made.end(), root.path() / "new/a"), made.end());
    fs::remove(root.path() / "old");
    EXPECT_EQ(watch.wait(Cancel{}), (std::vector<fs::path>{root.path() / "old"}));
    write_file(root.path() / "new/b", "1");
    EXPECT_FALSE(watch.wait(Cancel{}).empty());
}

TEST(Watch, EndsWhenItIsCancelled) {
    const TemporaryDirectory root;
    Watch watch({root.path()}, not_build);
    const CancelSource source;
    std::thread stop([&] { source.request(); });
    EXPECT_THROW(watch.wait(source.token()), Error);
    stop.join();
}

}  // namespace
}  // namespace wasmplug
