#include "manifest/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "manifest/fields.hpp"

namespace wasmplug::manifest {
namespace {

using enum Level;

constexpr std::string_view crd = "CRD of istio.io/api v1.31";
constexpr std::string_view validation = "istio pkg/config/validation/validation.go";
constexpr std::string_view push = "istio pilot/pkg/model/extensions.go";
constexpr std::string_view fetch = "istio pkg/wasm";

constexpr std::array table = {
    // --- admission -------------------------------------------------------------------------
    Rule{"WP001", error, Layer::api_server, "the document is not YAML that Kubernetes can read",
         "kubectl stops at the first such document; nothing of it reaches the cluster",
         "mend the syntax at the place shown", "sigs.k8s.io/yaml"},
    Rule{"WP002", error, Layer::api_server, "the file is a template that was not rendered",
         "Helm, Kustomize or envsubst have to run first; what the rendered text says is not known",
         "validate the output: helm template . | wasmplug validate -", "sigs.k8s.io/yaml"},
    Rule{"WP003", error, Layer::api_server, "the document does not say what it is",
         "without apiVersion and kind kubectl refuses it, and istioctl validate calls it valid",
         "add apiVersion: extensions.istio.io/v1alpha1 and kind: WasmPlugin", "k8s.io/apimachinery",
         Mending::value},
    Rule{"WP004", error, Layer::api_server, "no such kind is served",
         "only extensions.istio.io/v1alpha1 exists; istioctl validate passes over every kind it "
         "does not know and says \"is valid\"",
         "write apiVersion: extensions.istio.io/v1alpha1 and the kind as it is spelled", crd,
         Mending::value},
    Rule{"WP005", error, Layer::api_server, "a value has the wrong type",
         "the schema is structural: quoted numbers, numbers for enums and lists for objects are "
         "refused, although istioctl validate takes some of them",
         "write the type that the message names", crd, Mending::value},
    Rule{"WP006", error, Layer::api_server, "a required field is missing",
         "a field that is null counts as missing", "add it", crd},
    Rule{"WP007", error, Layer::api_server, "a value is none of those there are",
         "enums are spelled exactly, in capitals", "write one of the values in the message", crd,
         Mending::value},
    Rule{"WP008", error, Layer::strict, "there is no such field",
         "kubectl refuses it; any other client gets the object accepted and the field dropped "
         "without a word, so that the plugin runs with its default: a lost selector means every "
         "workload of the namespace",
         "mend the name, or take the field out", "fieldValidation=Strict", Mending::key},
    Rule{"WP009", error, Layer::strict, "a key appears twice",
         "kubectl refuses it; any other client takes the last one", "keep one of them",
         "fieldValidation=Strict", Mending::merging},
    Rule{"WP010", error, Layer::api_server, "the metadata are not those of a Kubernetes object",
         "names are DNS names in lower case, label values at most 63 characters, annotations are "
         "strings",
         "mend it as the message says", "k8s.io/apimachinery pkg/api/validation"},
    Rule{"WP011", error, Layer::api_server, "a value is too long, too short, or out of range", "",
         "stay within the limit of the message", crd},
    Rule{"WP012", error, Layer::api_server, "sha256 is not 64 lower-case hexadecimal digits",
         "it is a bare digest: no sha256: prefix, no capitals, no placeholder",
         "wasmplug hash REF prints the right one; leave it out while there is none", crd,
         Mending::value},
    Rule{"WP013", error, Layer::api_server, "the url has a scheme that Istio does not know",
         "host:port/image and name:tag are read as a scheme before the first colon "
         "(istio#56772)",
         "write oci:// in front", crd, Mending::value},
    Rule{"WP014", error, Layer::api_server, "more than one way to say where it runs",
         "selector and targetRefs exclude each other; an empty list counts for the API server",
         "keep selector for sidecars and classic gateways, targetRefs for Gateway API gateways "
         "and waypoints",
         crd},
    Rule{"WP015", error, Layer::api_server, "a selector with a wildcard or an empty key",
         "labels are compared exactly", "write the labels that the pods carry", crd},
    Rule{"WP016", error, Layer::api_server, "a target in another namespace",
         "a plugin is for targets of its own namespace", "put the plugin into that namespace", crd},
    Rule{"WP017", error, Layer::api_server, "a value beside valueFrom: HOST",
         "HOST takes the value from the proxy", "take one of the two out", crd},
    Rule{"WP018", error, Layer::api_server, "two items of a list have the same key",
         "ports and env are maps in the schema, by number and by name", "keep one of them", crd},
    Rule{"WP019", error, Layer::api_server, "not exactly one of wasm and lua",
         "the webhook takes the last one and istioctl says valid; the API server refuses both",
         "keep one", crd},
    Rule{"WP020", error, Layer::strict, "the release asked for does not have this yet",
         "on an older release the field is unknown, or the value does not decode",
         "upgrade, or take it out", crd},
    Rule{"WP021", error, Layer::webhook, "a target of a kind that cannot have plugins",
         "only Service, ServiceEntry, Gateway and GatewayClass; the CRD takes any kind and the "
         "webhook refuses",
         "name the Gateway or Service; routes cannot be targets in Istio", validation},
    Rule{"WP022", error, Layer::webhook, "an annotation that Istio refuses",
         "istio.io/dry-run is for AuthorizationPolicy only", "remove the annotation", validation,
         Mending::removal},
    Rule{"WP023", warning, Layer::webhook, "a selector without labels",
         "it selects every workload of the namespace, in the root namespace of the whole mesh; "
         "often it is selector.labels, which does not exist",
         "write selector.matchLabels, or take the selector out if all is meant", validation},
    Rule{"WP024", error, Layer::webhook, "a targetRef without a name", "", "name the target",
         validation},
    Rule{"WP025", error, Layer::api_server, "an item of a list is null",
         "nulls are dropped from objects but not from lists", "remove the item", crd,
         Mending::removal},
    // --- run time: url ---------------------------------------------------------------------
    Rule{"WP030", error, Layer::runtime, "istiod discards the plugin",
         "admission accepts this url and istiod's own parser does not: one line in istiod's log, "
         "no status, no event, and the plugin is not there",
         "write a url with scheme: oci://HOST[:PORT]/REPOSITORY:TAG", push, Mending::value},
    Rule{"WP031", error, Layer::runtime, "the agent cannot make an image reference of the url",
         "every proxy fails to fetch, and failStrategy decides: FAIL_CLOSE denies all requests",
         "repository names are lower case, tags have no blanks, digests are whole", fetch,
         Mending::value},
    Rule{"WP032", error, Layer::runtime, "a path that is taken for an image",
         "without a scheme everything is an image: /opt/x.wasm becomes oci:///opt/x.wasm",
         "write file:///opt/x.wasm for a file in the proxy's container", push, Mending::value},
    Rule{"WP033", error, Layer::runtime, "a file url that names another file than it looks",
         "only the exact prefix file:// is cut off; file://opt/x is relative, file:/opt/x and "
         "FILE:///opt/x stay whole",
         "write file:///opt/x.wasm", push, Mending::value},
    Rule{"WP034", warning, Layer::runtime, "an image name without a host",
         "it is looked for on Docker Hub, which is seldom meant", "write the registry's host",
         fetch},
    Rule{"WP035", error, Layer::runtime, "a url with a missing colon",
         "oci//host/x and https//host/x pass every check and are image names on Docker Hub",
         "write oci:// or https://", fetch, Mending::value},
    Rule{"WP036", error, Layer::runtime, "a url without a host", "there is nothing to fetch from",
         "write the host", fetch},
    Rule{"WP037", error, Layer::runtime, "credentials in the url",
         "for an image they are dropped without a word; for http they stand in clear text in the "
         "cluster",
         "use spec.imagePullSecret", fetch},
    Rule{"WP038", warning, Layer::runtime, "a query or fragment on an image", "both are dropped",
         "take it out", fetch, Mending::value},
    Rule{"WP039", warning, Layer::runtime, "a module over plain http",
         "anyone on the way can replace it", "use https, or set spec.sha256", fetch},
    // --- run time: the rest ----------------------------------------------------------------
    Rule{"WP040", error, Layer::runtime, "sha256 and the digest in the url differ",
         "the field is what is compared: the download can never match", "keep one of them", fetch},
    Rule{"WP041", error, Layer::runtime, "a digest that is not sha256",
         "the agent knows sha256 only", "pin by sha256", fetch},
    Rule{"WP042", warning, Layer::runtime, "a field that does nothing with this kind of url",
         "a file is not fetched by the agent: neither sha256 nor pull policy nor secret is looked "
         "at; http has no pull secret",
         "take it out, or use an oci url", fetch},
    Rule{"WP043", warning, Layer::runtime, "verificationKey is read by nothing",
         "signature checks were never implemented: the plugin is not verified",
         "take it out, and have the pipeline verify the image's signature before the release",
         push},
    Rule{"WP044", error, Layer::runtime, "an environment variable that never arrives",
         "the agent removes every name that begins with ISTIO_META_, and ISTIO_META_WASM_ ones "
         "overwrite what istiod tells the agent",
         "use another name", fetch},
    Rule{"WP045", error, Layer::runtime,
         "an environment variable's name that no program can ask for",
         "nothing checks it and it is passed on as it is", "use letters, digits and _", fetch},
    Rule{"WP046", warning, Layer::runtime, "a number that loses digits",
         "pluginConfig goes through doubles: an integer beyond 2^53 arrives as another one",
         "write it as a string", push},
    Rule{"WP047", error, Layer::runtime, "it never matches",
         "a gateway is always CLIENT, so mode SERVER on its pods selects nothing",
         "use CLIENT or "
         "leave the mode out",
         push},
    Rule{"WP048", error, Layer::runtime, "ports never match at a waypoint",
         "a waypoint's HTTP listener has port 0", "leave ports out", push},
    Rule{"WP049", error, Layer::runtime, "a GatewayClass target that is ignored",
         "only istio-waypoint in the root namespace is honoured",
         "target the Gateway, or put it into the root namespace", push},
    Rule{"WP050", warning, Layer::runtime, "a target that only a waypoint serves",
         "Service and ServiceEntry targets need a waypoint; without one nothing runs the plugin",
         "make sure that the service is bound to a waypoint, or use a selector", push},
    Rule{"WP051", warning, Layer::runtime, "a tag that is fetched once",
         "no tag means latest, but only a path that ends in :latest is pulled again: proxies keep "
         "what they once fetched",
         "name the tag, better the digest", fetch},
    Rule{"WP052", warning, Layer::runtime, "a pull secret that is looked for elsewhere",
         "the name is always a Secret of the plugin's own namespace", "write the bare name", push,
         Mending::value},
    Rule{"WP053", hint, Layer::runtime, "the API server's copy of an object",
         "resourceVersion and uid cannot be created afresh",
         "remove resourceVersion, uid, generation and managedFields", "k8s.io/apimachinery",
         Mending::removal},
    Rule{"WP054", warning, Layer::runtime, "imagePullPolicy: Always does not follow a tag",
         "the tag is resolved again only after an edit of the resource, so a plain push changes "
         "nothing",
         "pin the digest and release with wasmplug update", fetch},
    Rule{"WP055", warning, Layer::runtime, "a reference failure that stops the mesh",
         "in the root namespace and without selector a module that cannot be fetched denies all "
         "requests of every workload",
         "failStrategy: FAIL_OPEN, or a selector", push},
    Rule{"WP056", hint, Layer::runtime, "a repository name of one character",
         "older versions of go-containerregistry, which agents link, want two", "use a longer name",
         fetch},
    // --- artefacts -------------------------------------------------------------------------
    Rule{"WP101", hint, Layer::runtime, "not pinned by digest",
         "a tag can move: new pods run other bytes than old ones",
         "wasmplug update FILE REF pins url and sha256", fetch},
    Rule{"WP102", warning, Layer::runtime, "the tag latest",
         "it never refreshes by itself and nobody can say which bytes run",
         "use a version and its digest", fetch},
    Rule{"WP103", warning, Layer::runtime, "http without sha256",
         "what is served tomorrow may be other bytes",
         "set spec.sha256 to the digest of the unpacked module", fetch},
    Rule{"WP110", error, Layer::runtime, "the digest is that of an image index",
         "the agent compares with the linux/amd64 image in it, so this never matches",
         "pin the image manifest's digest: wasmplug hash REF", fetch, Mending::value},
    Rule{"WP111", error, Layer::runtime, "the digest is not that of the image",
         "for oci it is the digest of the image manifest, not of plugin.wasm and not of a layer",
         "wasmplug hash REF prints it", fetch, Mending::value},
    Rule{"WP112", error, Layer::runtime, "the artefact cannot be fetched", "",
         "push it, or mend the url", fetch},
    Rule{"WP113", error, Layer::runtime, "the module does not load in that release",
         "a module that Envoy cannot load keeps the listener from starting, whatever failStrategy "
         "says",
         "wasmplug inspect REF --for HOST says why", "envoy"},
    Rule{"WP114", error, Layer::runtime, "pluginConfig is not what the plugin's schema asks for",
         "the plugin would refuse its configuration, and Envoy the plugin",
         "write what the plugin's config.schema.json describes",
         "config.schema.json of the plugin's project, --schema, or the image with --online"},
    Rule{"WP115", error, Layer::runtime, "the artefact could not be asked for",
         "no answer, or none without credentials: nothing is known of it, and the cluster, with "
         "other names and secrets, may fare better or not",
         "log in, name the registry with --via CLUSTER=HERE, or leave --online out", "wasmplug"},
    // --- overlap and order -----------------------------------------------------------------
    Rule{"WP201", warning, Layer::runtime, "two versions of one plugin run on the same pods",
         "no most specific one wins: every matching plugin runs, one after the other, so a canary "
         "pair with overlapping selectors runs both",
         "make the selectors disjoint on one label", push},
    Rule{"WP202", warning, Layer::runtime, "the order is decided by the age of the objects",
         "in one phase and with one priority the older runs first; recreating one turns it round",
         "give them different priorities", "istio pilot/pkg/model/push_context.go"},
    Rule{"WP203", warning, Layer::runtime, "it runs in the whole mesh",
         "in the root namespace and without selector it is for every sidecar and gateway",
         "add a selector unless that is meant", push},
    Rule{"WP204", warning, Layer::runtime, "a selector cannot reach a waypoint",
         "waypoints take plugins by targetRefs only", "use targetRefs", push},
    Rule{"WP205", error, Layer::runtime, "two objects of the same kind and name",
         "the second one applied replaces the first", "rename one of them", "k8s.io/apimachinery"},
    Rule{"WP206", hint, Layer::runtime, "priority 0 is not the default",
         "an unset priority sorts last, so 0 runs before it", "leave it out when last is meant",
         "istio pilot/pkg/model/push_context.go"},
    Rule{"WP208", warning, Layer::runtime, "a comment that has the order the wrong way round",
         "guides say that a lower priority runs first; it is the higher one, and unset is last",
         "turn the numbers round, or mend the comment", "istio pilot/pkg/model/push_context.go"},
    Rule{
        "WP209", warning, Layer::runtime, "a comment that has the phase the wrong way round",
        "STATS is before Istio's telemetry and the plugins without a phase, which come last; AUTHN "
        "is before Istio's authentication, and among its plugins the priority decides",
        "wasmplug chain FILE shows the order", "istio pilot/pkg/model/push_context.go"},
    // --- operations ------------------------------------------------------------------------
    Rule{"WP301", warning, Layer::runtime, "a metric that does not exist",
         "the alert can never fire", "use the one named in the message",
         "envoy stats_handler.h, istio pkg/wasm/monitoring.go", Mending::value},
    Rule{"WP302", warning, Layer::policy, "a note that silences nothing",
         "the rule is unknown, or had nothing to say there", "take the comment out", "wasmplug"},
    Rule{"WP303", hint, Layer::runtime, "a Higress plugin",
         "same kind, another group: Istio does not read it, and its fields do not exist there",
         "nothing to do for Higress; for Istio write apiVersion extensions.istio.io/v1alpha1",
         "higress.io"},
    Rule{"WP304", warning, Layer::runtime, "a command that does not do what it is there for",
         "guides name istioctl commands that do not exist, and a merge patch, which keeps the "
         "configuration keys of the version that it should take back",
         "use the command in the message", "istioctl 1.31, RFC 7396"},
    // --- policy ----------------------------------------------------------------------------
    Rule{"WP401", error, Layer::policy, "a registry that the policy does not allow", "",
         "use one of registries.allowed", "the policy file"},
    Rule{"WP402", error, Layer::policy, "the policy wants a digest", "",
         "wasmplug update FILE REF pins it", "the policy file"},
    Rule{"WP403", error, Layer::policy, "a failStrategy that the policy forbids", "",
         "use another one", "the policy file"},
    Rule{"WP404", error, Layer::policy, "a namespace that the policy does not allow", "",
         "use one of namespaces.allowed", "the policy file"},
    Rule{"WP405", error, Layer::policy, "a label that the policy wants is missing", "", "add it",
         "the policy file"},
    Rule{"WP406", error, Layer::policy, "the policy wants a selector or targets", "",
         "add spec.selector or spec.targetRefs", "the policy file"},
    Rule{"WP407", error, Layer::policy, "a tag that the policy forbids", "", "use a version",
         "the policy file"},
    Rule{"WP408", error, Layer::policy, "a transport that the policy forbids", "",
         "use one of transports.allowed", "the policy file"},
    Rule{"WP409", error, Layer::policy, "a priority that the policy reserves", "",
         "stay within priority.min and priority.max", "the policy file"},
};

}  // namespace

std::string_view to_string(Layer layer) {
    switch (layer) {
        case Layer::api_server:
            return "api-server";
        case Layer::strict:
            return "strict";
        case Layer::webhook:
            return "webhook";
        case Layer::runtime:
            return "runtime";
        case Layer::policy:
            break;
    }
    return "policy";
}

std::string_view name_of(Layer layer) {
    switch (layer) {
        case Layer::api_server:
            return "API server";
        case Layer::strict:
            return "API server, strict";
        case Layer::webhook:
            return "istiod's webhook";
        case Layer::runtime:
            return "run time";
        case Layer::policy:
            break;
    }
    return "policy";
}

std::span<const Rule> rules() {
    return table;
}

const Rule* find_rule(std::string_view id) {
    if (id.size() < 3) {
        return nullptr;
    }
    std::string wanted = "WP";
    const auto digits = id.substr(2);
    const bool prefix = std::toupper(static_cast<unsigned char>(id[0])) == 'W' &&
                        std::toupper(static_cast<unsigned char>(id[1])) == 'P';
    if (!prefix || digits.size() > 3) {
        return nullptr;
    }
    wanted.append(3 - digits.size(), '0').append(digits);
    const auto* found = std::find_if(table.begin(), table.end(),
                                     [&](const Rule& rule) { return rule.id == wanted; });
    return found == table.end() ? nullptr : found;
}

}  // namespace wasmplug::manifest
