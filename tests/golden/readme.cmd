# needs cpp
# The session that README.md shows.
wasmplug init hello --language cpp --pattern response-headers -q
cd hello
wasmplug build
wasmplug test | tail -n 1
wasmplug push . oci:../images:0.1.0 --update plugin.yaml --as registry.example.com/hello:0.1.0
wasmplug validate plugin.yaml
wasmplug update plugin.yaml --set pluginConfig.header_value=hey --why 'be brief'
wasmplug rollback plugin.yaml --offline
