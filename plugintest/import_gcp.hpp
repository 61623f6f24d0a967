#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wasmplug::plugintest {

struct Imported {
    std::string yaml;                // NAME.test.yaml
    std::vector<std::string> notes;  // "tests.textpb:12: ..." what was not taken over, and why
};

// A file of the Service Extensions tester (plugins/test/runner.proto of
// GoogleCloudPlatform/service-extensions: text format, or YAML of the same fields) as our test
// file. There each phase is fed by hand; here the phases of a test are one exchange, so that
// what a phase changes is expected of the message that leaves. `module` is written where the file
// names none. Files that it names are read beside it. Throws Error for what is no such file.
Imported import_gcp(const std::filesystem::path& path, const std::string& module);

}  // namespace wasmplug::plugintest
