#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fake_registry.hpp"

namespace wasmplug::test {

// What one registry product does otherwise than the specification, as people have reported it.
enum class Product {
    docker_hub,
    ghcr,
    ecr,
    artifact_registry,
    acr,
    harbor,
    quay,
    gitlab,
    artifactory,
    nexus
};

inline constexpr Product all_products[] = {
    Product::docker_hub,  Product::ghcr,   Product::ecr,  Product::artifact_registry,
    Product::acr,         Product::harbor, Product::quay, Product::gitlab,
    Product::artifactory, Product::nexus};

std::string to_string(Product product);

// A fake registry with the ways of one product, its token server and its storage, each on a port
// of its own where the product has them on another host.
class ProfiledRegistry {
  public:
    explicit ProfiledRegistry(Product product);
    ~ProfiledRegistry();
    ProfiledRegistry(const ProfiledRegistry&) = delete;
    ProfiledRegistry& operator=(const ProfiledRegistry&) = delete;

    FakeRegistry& registry();

    std::string host();

    // The client's environment with an account there.
    std::map<std::string, std::string> environment();

    // What the client did that it must not: a credential at the storage's host, a cookie sent
    // back, a wrong account at the token server.
    std::vector<std::string> complaints();

    // How often something odd of this product was met: a test that never meets it proves nothing.
    int oddities();

    struct State;

  private:
    std::unique_ptr<State> state_;
};

}  // namespace wasmplug::test
