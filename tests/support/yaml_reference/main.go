// Prints what Kubernetes' YAML parser makes of each case on standard input, one in base64 a
// line: a line with the JSON value, or "error: MESSAGE".
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"

	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// YAMLToJSON looks no further than the first document, and clients of Kubernetes divide files
// before they call it. What stands behind the first document must be YAML all the same.
func rest(text []byte) error {
	documents := goyaml.NewDecoder(bytes.NewReader(text))
	for {
		var value interface{}
		if err := documents.Decode(&value); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		text, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, err := yaml.YAMLToJSON(text)
		if err == nil {
			err = rest(text)
		}
		if err != nil {
			fmt.Fprintln(out, "error: "+strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintln(out, string(result))
		}
	}
}
