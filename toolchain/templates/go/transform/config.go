package main

import "errors"

// mostBodyBytes is Envoy's own limit: it answers 413 or 500 once 1 MiB is buffered.
const mostBodyBytes = 1024*1024 - 1

// config is what the WasmPlugin passes in pluginConfig; config.schema.json describes it.
type config struct {
	AddRequestHeaders     map[string]string `json:"add_request_headers"`
	RemoveResponseHeaders []string          `json:"remove_response_headers"`
	LogRequestBody        bool              `json:"log_request_body"`
	ReplaceResponseText   map[string]string `json:"replace_response_text"`
	MaxBodyBytes          uint32            `json:"max_body_bytes"`
	LogLevel              logLevel          `json:"log_level"`
}

func parseConfig(data []byte) (*config, error) {
	c := &config{MaxBodyBytes: 65536, LogLevel: levelInfo}
	if err := decode(data, c); err != nil {
		return nil, err
	}
	for name, value := range c.AddRequestHeaders {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range c.RemoveResponseHeaders {
		if err := checkHeader(name, ""); err != nil {
			return nil, err
		}
	}
	if _, found := c.ReplaceResponseText[""]; found {
		return nil, errors.New("replace_response_text: a text to replace is empty")
	}
	return c, checkRange("max_body_bytes", c.MaxBodyBytes, 1, mostBodyBytes)
}
