package arch_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/liao-im/liao"
	root   = "../.."
)

// room is one package of ours as its source files show it. Files are read, not
// asked of the go command: so files behind every build tag count, and the test
// cache knows that it must run again when one of them changes.
type room struct {
	name        string
	files       []string
	imports     []string // of production files
	testImports []string // of files named _test.go
}

// readRooms gives every package of the module by its path from the root.
func readRooms(t *testing.T) map[string]*room {
	t.Helper()
	rooms := make(map[string]*room)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if outsideModule(filepath.ToSlash(rel), d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		dir := path.Dir(filepath.ToSlash(rel))
		if rooms[dir] == nil {
			rooms[dir] = &room{}
		}
		return rooms[dir].read(file)
	})
	if err != nil {
		t.Fatalf("read the source tree: %v", err)
	}
	for _, r := range rooms {
		slices.Sort(r.imports)
		r.imports = slices.Compact(r.imports)
		slices.Sort(r.testImports)
		r.testImports = slices.Compact(r.testImports)
	}
	return rooms
}

// outsideModule tells folders that the go command would not look into either,
// and tools, which is a module of its own.
func outsideModule(rel, name string) bool {
	if rel == "." {
		return false
	}
	return rel == "tools" || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// read adds what one file says.
func (r *room) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	r.files = append(r.files, file)
	test := strings.HasSuffix(file, "_test.go")
	if name := strings.TrimSuffix(parsed.Name.Name, "_test"); r.name == "" || !test {
		r.name = name
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if test {
			r.testImports = append(r.testImports, imported)
		} else {
			r.imports = append(r.imports, imported)
		}
	}
	return nil
}

// ours gives an import's path from the module's root, if it is one of ours.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard tells the standard library's packages by the go command's own rule:
// the first element of their path has no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// listed is what the go command says of a package outside the module.
type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// goList runs go list at the root and gives its packages by import path.
func goList(t *testing.T, args ...string) map[string]listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Standard,Imports,Module"}, args...)...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	packages := make(map[string]listed)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read what go list says: %v", err)
		}
		packages[p.ImportPath] = p
	}
}

// sorted gives a map's keys in order, for failures that come in the same order
// each time.
func sorted[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
