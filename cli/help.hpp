#pragma once

#include <string>

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>

namespace wasmplug {

// --help at 80 columns: usage, summary, commands by group, arguments, options, global options,
// examples (the footer).
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
};

// "wasmplug push [OPTIONS] SOURCE... [REF]": what help and man both show.
std::string usage_line(const CLI::App& command);

// "wasmplug push", with the separator that the use wants.
std::string full_name(const CLI::App& command, char separator);

// "-o, --output text|json"; a positional's name.
std::string option_label(const CLI::Option& option);

}  // namespace wasmplug
