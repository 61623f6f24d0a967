#include "toolchain/metadata.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug::toolchain {
namespace {

TEST(CargoManifest, GivesNameAndVersionOfThePackage) {
    const auto manifest = read_cargo_manifest(
        "# [package]\n[package]\nname = \"auth\" # the plugin\nversion='1.2.3'\n"
        "[lib]\ncrate-type = [\n  \"cdylib\", # for Envoy\n  \"rlib\",\n]\n"
        "[dependencies]\nname = \"no\"\nshared = { version = \"1\", path = \"../shared\" }\n"
        "[dependencies.other]\npath = \"../other\"\n");
    EXPECT_TRUE(manifest.has_package);
    EXPECT_EQ(manifest.package.name, "auth");
    EXPECT_EQ(manifest.package.version, "1.2.3");
    EXPECT_TRUE(manifest.is_cdylib);
    EXPECT_EQ(manifest.paths, (std::vector<std::string>{"../shared", "../other"}));
    EXPECT_FALSE(manifest.has_workspace);
}

TEST(CargoManifest, TakesTheVersionFromTheWorkspaceInBothSpellings) {
    EXPECT_TRUE(
        read_cargo_manifest("[package]\nversion.workspace = true\n").version_from_workspace);
    EXPECT_TRUE(
        read_cargo_manifest("[package]\nversion = { workspace = true }\n").version_from_workspace);
    const auto root = read_cargo_manifest(
        "[workspace]\nmembers = [\"plugins/*\",\n \"shared\"]\nexclude=[\"old\"]\n"
        "[workspace.package]\nversion = \"2.0.0\"\n");
    EXPECT_FALSE(root.has_package);
    EXPECT_EQ(root.workspace_version, "2.0.0");
    EXPECT_EQ(root.members, (std::vector<std::string>{"plugins/*", "shared"}));
    EXPECT_EQ(root.excluded, (std::vector<std::string>{"old"}));
}

TEST(CargoManifest, GivesTheLicenceOfThePackageOrOfItsWorkspace) {
    EXPECT_EQ(read_cargo_manifest("[package]\nlicense = \"MIT/Apache-2.0\"\n").package.license,
              "MIT OR Apache-2.0");
    const auto member = read_cargo_manifest("[package]\nlicense.workspace = true\n");
    EXPECT_TRUE(member.license_from_workspace);
    EXPECT_EQ(member.package.license, "");
    EXPECT_EQ(read_cargo_manifest("[workspace.package]\nlicense = \"MIT\"\n").workspace_license,
              "MIT");
}

TEST(Licence, IsAnExpressionOrNothing) {
    EXPECT_EQ(read_npm_package(R"({"license": "Apache-2.0"})", "p").identity.license, "Apache-2.0");
    EXPECT_EQ(read_npm_package(R"({"license": "UNLICENSED"})", "p").identity.license, "");
    EXPECT_EQ(read_npm_package(R"({"license": "SEE LICENSE IN x"})", "p").identity.license, "");
    EXPECT_EQ(spdx_license("// SPDX-License-Identifier: (MIT OR BSD-3-Clause)\r\npackage main"),
              "(MIT OR BSD-3-Clause)");
    EXPECT_EQ(spdx_license("/* SPDX-License-Identifier: MIT */"), "MIT");
    EXPECT_EQ(spdx_license("Apache License, Version 2.0"), "");
    EXPECT_EQ(spdx_expression("<script>"), "");
}

TEST(GoModule, IsNamedByItsLastElementWithoutTheMajorVersion) {
    EXPECT_EQ(go_module_name("module example.com/plugins/auth // why\n\ngo 1.24\n"), "auth");
    EXPECT_EQ(go_module_name("// head\nmodule \"example.com/auth/v2\"\n"), "auth");
    EXPECT_EQ(go_module_name("module auth\n"), "auth");
    EXPECT_EQ(go_module_name("module example.com/v8engine\n"), "v8engine");
    EXPECT_EQ(go_module_name("go 1.24\n"), "");
}

TEST(GoWork, NamesItsFolders) {
    EXPECT_EQ(go_work_folders("go 1.24\nuse ./a\nuse (\n\t./b // two\n\t./c\n)\nreplace x => y\n"),
              (std::vector<std::string>{"./a", "./b", "./c"}));
}

TEST(NpmPackage, KnowsAssemblyScriptAndWorkspaces) {
    const auto package = read_npm_package(
        R"({"name": "@team/auth", "version": "0.3.0",
            "devDependencies": {"assemblyscript": "^0.28"}})",
        "package.json");
    EXPECT_EQ(package.identity.name, "auth");
    EXPECT_EQ(package.identity.version, "0.3.0");
    EXPECT_TRUE(package.uses_assemblyscript);
    EXPECT_EQ(read_npm_package(R"({"workspaces": {"packages": ["plugins/*"]}})", "p").workspaces,
              (std::vector<std::string>{"plugins/*"}));
    EXPECT_EQ(read_npm_package(R"({"workspaces": ["a", 3, "b"]})", "p").workspaces,
              (std::vector<std::string>{"a", "b"}));
    EXPECT_THROW(read_npm_package("[]", "p"), Error);
    EXPECT_THROW(read_npm_package("{", "p"), Error);
}

TEST(CMakeProject, GivesNameAndVersion) {
    const auto identity = read_cmake_project(
        "cmake_minimum_required(VERSION 3.20)\n# project(no)\nPROJECT ( my-plugin\n"
        "  VERSION 1.4.0 LANGUAGES CXX)\n");
    EXPECT_EQ(identity.name, "my-plugin");
    EXPECT_EQ(identity.version, "1.4.0");
    EXPECT_EQ(read_cmake_project("project(\"quoted\")").name, "quoted");
    EXPECT_EQ(read_cmake_project("set(project_name x)").name, "");
}

TEST(Makefile, GivesNameAndVersion) {
    const auto identity = read_makefile("NAME := auth\nVERSION ?= 2.1.0 # now\nall:\n\tX = 1\n");
    EXPECT_EQ(identity.name, "auth");
    EXPECT_EQ(identity.version, "2.1.0");
}

}  // namespace
}  // namespace wasmplug::toolchain
