#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "plugintest/text_format.hpp"

namespace wasmplug::plugintest {

// A file of the Service Extensions tester that is read: what is told of it, and the files that
// it names.
class GcpFile {
  public:
    explicit GcpFile(std::filesystem::path path) : path_(std::move(path)) {}

    // What was left out of the field at hand, and why.
    void note(const ProtoText& at, const std::string& what);

    std::vector<std::string> take_notes() { return std::move(notes_); }

    [[noreturn]] void fail(const ProtoText& at, const std::string& what,
                           const std::string& hint = {}) const;

    // The content of the file that `field` names.
    std::string beside(const ProtoText& field) const;

    std::uint64_t number(const ProtoText& field, std::uint64_t least, std::uint64_t most) const;

    // `bytes` where a test file has only text; else a note, and nothing.
    std::optional<std::string> text_of(const ProtoText& at, const std::string& bytes);

  private:
    std::filesystem::path path_;
    std::vector<std::string> notes_;
};

// Text that YAML can carry: UTF-8 without control characters.
bool is_text(const std::string& bytes);

// "path" for ":path", or nullptr for what is no pseudo header of a test file.
const char* plain_name(const std::string& pseudo);

// A header of an input, its name in lower case, and the field that it comes from.
struct GivenHeader {
    std::string name;
    std::string value;
    const ProtoText* at = nullptr;
};

using GivenHeaders = std::vector<GivenHeader>;

// The headers of a phase's input, pseudo headers among them, however they are written.
GivenHeaders gcp_headers_of(const GcpFile& file, const ProtoText* phase, bool is_request);

// The message of a test file with these headers. Sets `skip` where a proxy would not let it pass.
nlohmann::ordered_json gcp_message_of(GcpFile& file, const GivenHeaders& headers, bool is_request,
                                      std::string& skip);

// Adds the input of all invocations of `phase` ("request_body"), in the tester's chunks.
void add_gcp_body(GcpFile& file, const ProtoText& test, std::string_view phase,
                  const GivenHeaders& headers, nlohmann::ordered_json& message);

// Text, whole numbers and booleans; `skip` is set where one is another.
nlohmann::ordered_json gcp_properties_of(GcpFile& file, const ProtoText& test, std::string& skip);

}  // namespace wasmplug::plugintest
