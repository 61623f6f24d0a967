#pragma once

#include <string>
#include <string_view>
#include <vector>

// What Kubernetes says of names, in its own words: k8s.io/apimachinery pkg/util/validation and
// pkg/api/validation. Each returns what is wrong, nothing for a good name.
namespace wasmplug::manifest {

using Complaints = std::vector<std::string>;

// Labels of lower-case letters, digits and '-', joined by dots; of any length.
bool is_subdomain(std::string_view text);

// IsDNS1123Subdomain with the limit of 253: names of objects, of API groups.
Complaints check_subdomain(std::string_view text);

// IsDNS1123Label with the limit of 63: names of namespaces.
Complaints check_label(std::string_view text);

// IsQualifiedName: keys of labels and annotations, finalizers.
Complaints check_qualified_name(std::string_view text);

// IsValidLabelValue.
Complaints check_label_value(std::string_view text);

// A valid name like `name`, "" when there is none.
std::string similar_subdomain(std::string_view name);

}  // namespace wasmplug::manifest
