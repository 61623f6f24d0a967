package main

import (
	"slices"
	"strings"
)

// isText says whether a body of this content-type is text that may be searched.
func isText(contentType string) bool {
	contentType = strings.ToLower(contentType)
	return strings.HasPrefix(contentType, "text/") ||
		strings.Contains(contentType, "json") || strings.Contains(contentType, "xml")
}

// printable makes one line that no terminal or log reader trips over: anything but printable
// ASCII is a dot.
func printable(text []byte) string {
	line := slices.Clone(text)
	for i, c := range line {
		if c < ' ' || c > '~' {
			line[i] = '.'
		}
	}
	return string(line)
}

// newReplacer puts all replacements in, in one pass: what has been put in is not searched again.
func newReplacer(replacements map[string]string) *strings.Replacer {
	var pairs []string
	for from, to := range replacements {
		pairs = append(pairs, from, to)
	}
	return strings.NewReplacer(pairs...)
}
