package main

import "errors"

// config is what the WasmPlugin passes in pluginConfig; config.schema.json describes it.
type config struct {
	CacheTTLSeconds uint32   `json:"cache_ttl_seconds"`
	MaxEntries      uint32   `json:"max_entries"`
	MaxBodyBytes    uint32   `json:"max_body_bytes"`
	LogLevel        logLevel `json:"log_level"`
}

func parseConfig(data []byte) (*config, error) {
	c := &config{CacheTTLSeconds: 60, MaxEntries: 128, MaxBodyBytes: 65536, LogLevel: levelInfo}
	if err := decode(data, c); err != nil {
		return nil, err
	}
	return c, errors.Join(
		checkRange("cache_ttl_seconds", c.CacheTTLSeconds, 1, 86400),
		checkRange("max_entries", c.MaxEntries, 1, 65536),
		checkRange("max_body_bytes", c.MaxBodyBytes, 1, 1024*1024))
}
