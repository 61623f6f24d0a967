package main

import (
	"errors"
	"fmt"
	"slices"
)

// config is what the WasmPlugin passes in pluginConfig; config.schema.json describes it.
type config struct {
	HeaderName  string `json:"header_name"`
	HeaderValue string `json:"header_value"`
	// ResponseCodes are all of them when empty.
	ResponseCodes []uint32 `json:"response_codes"`
	LogLevel      logLevel `json:"log_level"`
}

func parseConfig(data []byte) (*config, error) {
	c := &config{LogLevel: levelInfo}
	if err := decode(data, c); err != nil {
		return nil, err
	}
	if c.HeaderName == "" || c.HeaderValue == "" {
		return nil, errors.New("header_name and header_value are required and must not be empty")
	}
	if err := checkHeader(c.HeaderName, c.HeaderValue); err != nil {
		return nil, err
	}
	for _, code := range c.ResponseCodes {
		if err := checkRange("response_codes", code, 100, 599); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// matches says whether a response with this status gets the header.
func (c *config) matches(status string) bool {
	isStatus := func(code uint32) bool { return fmt.Sprint(code) == status }
	return len(c.ResponseCodes) == 0 || slices.ContainsFunc(c.ResponseCodes, isStatus)
}
