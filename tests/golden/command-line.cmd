# What a wrong command line is told.
wasmplug
wasmplug insepct
wasmplug version --outptu json
wasmplug version -o xml
wasmplug version extra
wasmplug version --color maybe
wasmplug version --timeout soon
WASMPLUG_OUTPUT=json wasmplug version | grep -c '"version": 1'
