#include "oci/artefact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "istio/plugin_url.hpp"
#include "istio/releases.hpp"
#include "oci/config_schema.hpp"
#include "oci/image.hpp"
#include "oci/media_types.hpp"
#include "oci/open.hpp"
#include "oci/registry_error.hpp"
#include "oci/tar.hpp"
#include "wasm/loading.hpp"

namespace wasmplug::oci {
namespace {

using istio::ArtefactFacts;
using Answer = ArtefactFacts::Answer;

constexpr std::string_view wasm_magic{"\0asm", 4};
constexpr std::string_view gzip_magic{"\x1f\x8b", 2};
constexpr int unbox_limit = 8;  // layers of packing; nobody has more than two

bool is_tar(std::string_view bytes) {
    return bytes.size() >= 512 && bytes.substr(257, 5) == "ustar";
}

std::string first_entry(std::string_view tar) {
    std::string content;
    bool found = false;
    TarReader reader([&](const TarEntry&) -> Sink {
        if (found) {
            return {};
        }
        found = true;
        return [&](std::string_view part) {
            content += part;
        };
    });
    reader.write(tar);
    reader.finish();
    return content;
}

// The host of `host/path` as we know it.
std::string renamed(const std::string& rest, const HostNames& via) {
    const auto slash = rest.find('/');
    const auto found = via.find(std::string_view(rest).substr(0, slash));
    return found == via.end() || slash == std::string::npos ? rest
                                                            : found->second + rest.substr(slash);
}

ImageReference image_of(const istio::FetchReference& image, const HostNames& via) {
    const std::string host = image.registry.empty() ? "docker.io" : image.registry;
    const bool official = image.registry.empty() && image.repository.find('/') == std::string::npos;
    const auto name = renamed(host + "/" + (official ? "library/" : "") + image.repository, via);
    auto reference = parse_repository(name).with_tag(image.tag);
    return image.digest.empty() ? reference : reference.with_digest(image.digest);
}

// What the agent makes of a body fetched over http: gzip and tar taken off, as often as there is
// one, of a tar the first entry (pkg/wasm/httpfetcher.go, unboxIfPossible). Throws Error for what
// is broken inside.
std::string unbox(std::string bytes) {
    for (int i = 0; i < unbox_limit && !bytes.starts_with(wasm_magic); ++i) {
        if (bytes.starts_with(gzip_magic)) {
            std::string inner;
            Gunzip gunzip([&](std::string_view part) { inner += part; }, limit::unpacked_layer);
            gunzip.write(bytes);
            gunzip.finish();
            bytes = std::move(inner);
        } else if (is_tar(bytes)) {
            bytes = first_entry(bytes);
        } else {
            break;
        }
    }
    return bytes;
}

class Lookup {
  public:
    Lookup(const ArtefactQuery& query, const HostNames& via, const RegistryOptions& options,
           Services& services)
        : query_(query), via_(via), options_(options), services_(services) {}

    ArtefactFacts run() {
        const auto url = istio::read_plugin_url(query_.url);
        if (url.transport == istio::Transport::file ||
            (url.transport == istio::Transport::oci && !url.image)) {
            return facts_;
        }
        // Until somebody has answered, what goes wrong is on the way there.
        facts_.answer = Answer::unknown;
        try {
            if (url.transport == istio::Transport::http) {
                ask_server();
            } else {
                ask_registry(image_of(*url.image, via_));
            }
        } catch (const HttpError& error) {
            fail(Answer::unknown, error);
        } catch (const RegistryError& error) {
            fail(error.status() == 404 || error.status() == 410 ? Answer::missing : Answer::unknown,
                 error);
        } catch (const Error& error) {
            fail(facts_.answer, error);
        }
        return facts_;
    }

  private:
    void fail(Answer answer, const Error& error) {
        services_.cancel.check();
        facts_.answer = answer;
        facts_.problem = error.full_message();
        facts_.hint = error.hint();
    }

    void ask_registry(const ImageReference& image) {
        facts_.is_image = true;
        facts_.name = image.text();
        const auto store = open_store(image, Access::pull, options_, services_);
        auto named = store->manifest(image.selector());
        facts_.answer = Answer::missing;
        const auto resolved = named ? resolve_image(*store, image, std::move(*named))
                                    : resolve_image(*store, image);  // says what is there instead
        facts_.answer = Answer::there;
        facts_.is_index = resolved.index.has_value();
        facts_.digest = facts_.is_index ? resolved.index->digest : resolved.raw.digest;
        facts_.image_digest = resolved.raw.digest;
        for (const auto& layer : resolved.manifest.layers) {
            facts_.layers.push_back(layer.digest);
        }
        auto schema = carried_schema(*store, resolved.manifest);
        facts_.config_schema = std::move(schema.text);
        facts_.config_schema_problem = std::move(schema.problem);
        read_image(*store, resolved.manifest);
        compare(*store);
    }

    void read_image(Store& store, const Manifest& manifest) {
        const auto choice = choose_as_istio(manifest);
        if (!choice.layer) {
            fails_everywhere(choice.message);
            return;
        }
        std::string bytes;
        try {
            const auto module = read_module(
                store, *choice.layer, [&](std::string_view part) { bytes += part; }, facts_.name);
            facts_.module_sha256 = module.sha256;
            facts_.module_size = module.size;
        } catch (const HttpError&) {
            throw;
        } catch (const RegistryError&) {
            throw;
        } catch (const Error& error) {
            services_.cancel.check();
            fails_everywhere(error.what());
            return;
        }
        judge(bytes);
    }

    void compare(Store& store) {
        for (const auto& digits : query_.expected) {
            const auto wanted = "sha256:" + digits;
            const bool explained = wanted == facts_.image_digest || wanted == facts_.digest ||
                                   digits == facts_.module_sha256 ||
                                   std::ranges::count(facts_.layers, wanted) != 0;
            if (!explained && is_valid_digest(wanted) && store.manifest(wanted)) {
                facts_.elsewhere.push_back(wanted);
            }
        }
    }

    void ask_server() {
        const auto scheme = query_.url.find("://");
        const auto url =
            query_.url.substr(0, scheme + 3) + renamed(query_.url.substr(scheme + 3), via_);
        facts_.name = display_url(url);
        if (services_.offline) {
            throw Error(fmt::format("{} is on a server, and --offline was given", facts_.name));
        }
        std::string bytes;
        HttpRequest request;
        request.url = url;
        request.tls = options_.tls;
        request.allow_downgrade = true;  // as Go's client, which the agent is
        request.stall_timeout = options_.stall_timeout;
        request.sink = [&](std::string_view part) {
            if (bytes.size() + part.size() > limit::module) {
                throw Error(fmt::format("{} is larger than {} bytes, which the agent cuts off",
                                        facts_.name, limit::module));
            }
            bytes += part;
        };
        const auto response = services_.send(request, services_.cancel);
        if (response.status != 200) {
            throw registry_error(response, facts_.name);
        }
        facts_.answer = Answer::missing;
        bytes = unbox(std::move(bytes));
        if (!bytes.starts_with(wasm_magic) || bytes.size() < 8) {
            throw Error(fmt::format("what {} sends is no WebAssembly, packed or not", facts_.name));
        }
        facts_.answer = Answer::there;
        facts_.module_sha256 = sha256_hex(bytes);
        facts_.module_size = bytes.size();
        judge(bytes);
    }

    void fails_everywhere(const std::string& message) {
        for (const auto& host : query_.hosts) {
            facts_.loading.push_back({.host = host, .loads = false, .message = message});
        }
    }

    void judge(std::string_view module) {
        if (query_.on_module) {
            query_.on_module(module);
        }
        facts_.loading = judge_module(module, query_.hosts);
    }

    const ArtefactQuery& query_;
    const HostNames& via_;
    const RegistryOptions& options_;
    Services& services_;
    ArtefactFacts facts_;
};

}  // namespace

std::vector<istio::Loading> judge_module(std::string_view module,
                                         const std::vector<std::string>& hosts) {
    std::vector<istio::Loading> all;
    for (const auto& host : hosts) {
        const auto verdict =
            wasm::would_load(module, wasm::envoy_rules(istio::envoy_for(host).minor));
        all.push_back({.host = host,
                       .loads = verdict.loads,
                       .message = verdict.loads ? "" : verdict.message});
    }
    return all;
}

istio::ArtefactFacts look_up(const ArtefactQuery& query, const HostNames& via,
                             const RegistryOptions& options, Services& services) {
    return Lookup(query, via, options, services).run();
}

}  // namespace wasmplug::oci
