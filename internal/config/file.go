package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the largest file that is read. A full one has 5 KiB.
const maxFile = 1 << 20

// given is one value as a source wrote it.
type given struct {
	key    string
	texts  []string
	source string // as it is shown: liao.yaml:12, env LIAO_DATA, flag --data
}

// readFile gives the file's values in its order, and what is wrong with it.
func readFile(name string, keys []Key, found *problems) []given {
	file, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		found.add(name, "", "%v", withoutPath(err))
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		found.add(name, "", "%v", withoutPath(err))
		return nil
	}
	values := parseFile(name, data, keys, found)
	for _, value := range values {
		if key, ok := find(keys, value.key); ok && key.Secret {
			checkMode(name, file, found)
			break
		}
	}
	return values
}

// checkMode refuses secrets in a file that every user may read. The group may:
// root owns such files on many machines and the server runs in their group.
func checkMode(name string, file *os.File, found *problems) {
	info, err := file.Stat()
	if err != nil {
		found.add(name, "", "%v", withoutPath(err))
		return
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		found.add(name, "", "holds secrets, and its mode %04o lets every user of the machine at them; run: chmod o= %s", mode, name)
	}
}

// withoutPath takes the operation and the path from an error of package os:
// the problem names the file itself.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// parseFile reads YAML: keys by section, or dotted at the top as Write prints
// them. Every scalar is taken as the text that stands there, so that no value
// changes its kind by looking like something else.
func parseFile(name string, data []byte, keys []Key, found *problems) []given {
	if len(data) > maxFile {
		found.add(name, "", "is larger than %s", formatBytes(maxFile))
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil // empty, or comments alone
	case err != nil:
		found.add(name, "", "%s", syntax(err))
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		found.add(name, "", "holds more than one YAML document")
		return nil
	}
	r := reader{name: name, keys: keys, found: found, lines: make(map[string]int)}
	r.section("", document.Content[0])
	return r.values
}

// syntax gives a syntax error without what it quotes: that may be a piece of a
// secret.
func syntax(err error) string {
	quoted := regexp.MustCompile("'[^']*'|`[^`]*`|\"[^\"]*\"")
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	return "is no YAML: " + quoted.ReplaceAllLiteralString(text, hidden)
}

// reader walks one document.
type reader struct {
	name   string
	keys   []Key
	found  *problems
	lines  map[string]int // where each key was first given
	values []given
}

func (r *reader) at(node *yaml.Node) string {
	return fmt.Sprintf("%s:%d", r.name, node.Line)
}

// section reads a mapping whose keys begin with prefix.
func (r *reader) section(prefix string, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		r.found.add(r.at(node), strings.TrimSuffix(prefix, "."), "must hold keys, each on a line of its own: %s", r.example(prefix))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		r.entry(prefix, node.Content[i], node.Content[i+1])
	}
}

// entry reads one key of a mapping.
func (r *reader) entry(prefix string, key, value *yaml.Node) {
	name := prefix + key.Value
	if key.Kind != yaml.ScalarNode {
		r.found.add(r.at(key), "", "a key must be a word")
		return
	}
	if prefix == "" && r.isSection(name) {
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			return // a section whose every line is commented out
		}
		r.section(name+".", value)
		return
	}
	if _, ok := find(r.keys, name); !ok {
		r.found.add(r.at(key), name, "unknown key%s", suggestion(name, names(r.keys)))
		return
	}
	if line, ok := r.lines[name]; ok {
		r.found.add(r.at(key), name, "given twice, first in line %d; delete one", line)
		return
	}
	r.lines[name] = key.Line
	texts, problem := scalars(value)
	if problem != "" {
		r.found.add(r.at(key), name, "%s", problem)
		return
	}
	r.values = append(r.values, given{key: name, texts: texts, source: r.at(key)})
}

// scalars gives a value's texts, or what is wrong with it.
func scalars(value *yaml.Node) (texts []string, problem string) {
	switch value.Kind {
	case yaml.ScalarNode:
		if value.Tag == "!!null" {
			return nil, `has no value; write one, "" for none, or delete the line`
		}
		return []string{value.Value}, ""
	case yaml.SequenceNode:
		texts = []string{}
		for _, element := range value.Content {
			if element.Kind != yaml.ScalarNode || element.Tag == "!!null" {
				return nil, "must be a list of plain values"
			}
			texts = append(texts, element.Value)
		}
		return texts, ""
	case yaml.AliasNode:
		return nil, "is an alias; write the value out"
	case yaml.MappingNode, yaml.DocumentNode:
		return nil, "must be a plain value"
	default:
		return nil, "must be a plain value"
	}
}

func (r *reader) isSection(name string) bool {
	for _, key := range r.keys {
		if strings.HasPrefix(key.Name, name+".") {
			return true
		}
	}
	return false
}

// example gives a line that would be right where one was not.
func (r *reader) example(prefix string) string {
	for _, key := range r.keys {
		if name, ok := strings.CutPrefix(key.Name, prefix); ok && key.Default != "" {
			return name + ": " + key.Default
		}
	}
	return "data: ./liao-data"
}

func find(keys []Key, name string) (*Key, bool) {
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i], true
		}
	}
	return nil, false
}

func names(keys []Key) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = key.Name
	}
	return all
}

// suggestion ends a refusal with what was most likely meant.
func suggestion(name string, candidates []string) string {
	if near, ok := nearest(name, candidates, len(name)/3); ok {
		return "; did you mean " + near + "?"
	}
	return "; `liao config` lists them all"
}
