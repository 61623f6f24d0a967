package main

import (
	"errors"
	"strings"
)

// config is what the WasmPlugin passes in pluginConfig; config.schema.json describes it.
type config struct {
	AuthCluster      string   `json:"auth_cluster"`
	AuthPath         string   `json:"auth_path"`
	TimeoutMS        uint32   `json:"timeout_ms"`
	FailureModeAllow bool     `json:"failure_mode_allow"`
	LogLevel         logLevel `json:"log_level"`
}

func parseConfig(data []byte) (*config, error) {
	c := &config{AuthPath: "/auth", TimeoutMS: 500, LogLevel: levelInfo}
	if err := decode(data, c); err != nil {
		return nil, err
	}
	if c.AuthCluster == "" || !isVisible(c.AuthCluster) {
		return nil, errors.New("auth_cluster is missing or holds a space")
	}
	if !strings.HasPrefix(c.AuthPath, "/") || !isVisible(c.AuthPath) {
		return nil, errors.New("auth_path must start with / and hold no space")
	}
	return c, checkRange("timeout_ms", c.TimeoutMS, 1, 60000)
}

// authority is the call's :authority: HOST of Istio's outbound|PORT|SUBSET|HOST, else the
// cluster's name.
func (c *config) authority() string {
	if host := c.AuthCluster[strings.LastIndexByte(c.AuthCluster, '|')+1:]; host != "" {
		return host
	}
	return c.AuthCluster
}

// isVisible says that Envoy takes the text in a call: it refuses spaces and control characters.
func isVisible(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f })
}
