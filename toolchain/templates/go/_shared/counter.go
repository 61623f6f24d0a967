package main

import "github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"

// counter is a metric that Envoy exports under its name. The SDK panics when the host refuses
// one, and a panic ends the VM with all its streams: one that is refused counts nothing.
type counter struct {
	metric  proxywasm.MetricCounter
	defined bool
}

func defineCounter(name string) (c counter) {
	defer func() {
		if refused := recover(); refused != nil {
			logf(levelWarn, "metric %s cannot be defined: %v", name, refused)
		}
	}()
	return counter{proxywasm.DefineCounterMetric(name), true}
}

func (c counter) addOne() {
	if !c.defined {
		return
	}
	// A counter that cannot count must not stop a request.
	defer func() { _ = recover() }()
	c.metric.Increment(1)
}
