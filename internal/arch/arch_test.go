package arch_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageIsOnThePlan(t *testing.T) {
	t.Parallel()
	rooms := readRooms(t)
	for _, dir := range sorted(rooms) {
		if _, ok := plan[dir]; !ok {
			t.Errorf("%s: a room that is not on the plan (plan_test.go says who may import whom)", dir)
		}
	}
	for _, dir := range sorted(plan) {
		if _, ok := rooms[dir]; !ok {
			t.Errorf("%s: on the plan, but no longer in the tree", dir)
		}
	}
}

func TestImportsFollowThePlan(t *testing.T) {
	t.Parallel()
	rooms := readRooms(t)
	for _, dir := range sorted(rooms) {
		for _, imported := range rooms[dir].imports {
			to, ok := ours(imported)
			if !ok || to == "internal/fault" || slices.Contains(plan[dir], to) {
				continue
			}
			t.Errorf("%s imports %s: the plan does not allow it", dir, to)
		}
	}
}

// Tests may use stores, clients and whole systems, but a room that needs
// another room to be tested is not a room.
func TestRoomsStayApartInTestsToo(t *testing.T) {
	t.Parallel()
	apart := []string{"internal/gate", "internal/chat", "internal/status", "internal/verify"}
	rooms := readRooms(t)
	for _, dir := range apart {
		r := rooms[dir]
		if r == nil {
			continue
		}
		for _, imported := range r.testImports {
			if to, ok := ours(imported); ok && to != dir && slices.Contains(apart, to) {
				t.Errorf("%s: a test imports the room %s", dir, to)
			}
		}
	}
}

func TestProductionCodeDoesNotImportTesting(t *testing.T) {
	t.Parallel()
	rooms := readRooms(t)
	for _, dir := range sorted(rooms) {
		if strings.HasSuffix(dir, "test") {
			continue // storetest, imtest: made for tests to import
		}
		for _, imported := range rooms[dir].imports {
			to, isOurs := ours(imported)
			switch {
			case imported == "testing" || strings.HasPrefix(imported, "testing/"):
				t.Errorf("%s: production code imports %s", dir, imported)
			case isOurs && strings.HasSuffix(to, "test"):
				t.Errorf("%s: production code imports %s, which is made for tests", dir, to)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	rooms := readRooms(t)
	for _, rule := range forbiddenImports {
		for _, dir := range sorted(rooms) {
			if len(rule.rooms) > 0 && !slices.Contains(rule.rooms, dir) {
				continue
			}
			if strings.HasSuffix(dir, "pb") {
				continue // generated: protoc-gen-go uses unsafe for its descriptors
			}
			imports := rooms[dir].imports
			if rule.testsToo {
				imports = slices.Concat(imports, rooms[dir].testImports)
			}
			if slices.Contains(imports, rule.path) {
				t.Errorf("%s imports %s: %s", dir, rule.path, rule.because)
			}
		}
	}
	for _, rule := range onlyForeign {
		r := rooms[rule.room]
		if r == nil {
			continue
		}
		for _, imported := range r.imports {
			_, isOurs := ours(imported)
			allowed := slices.ContainsFunc(rule.allowed, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
			if !isOurs && !standard(imported) && !allowed {
				t.Errorf("%s imports %s: %s", rule.room, imported, rule.because)
			}
		}
	}
}

// TestNothingForbiddenIsLinked looks at everything that the binary is made of:
// what a library decodes for us is reached by the same strangers.
func TestNothingForbiddenIsLinked(t *testing.T) {
	t.Parallel()
	readRooms(t) // for the test cache: a new import anywhere runs this again
	linked := goList(t, "-deps", "./cmd/liao")
	if len(linked) < 100 {
		t.Fatalf("the binary is made of %d packages: they were not read", len(linked))
	}
	for _, rule := range forbiddenImports {
		if _, ok := linked[rule.path]; ok && rule.linked {
			t.Errorf("%s is linked into the binary: %s (`go mod why` says by whom)", rule.path, rule.because)
		}
	}
}

// TestForbiddenModules looks at what provides a package to the binary or its
// tests, and at what go.mod asks for. Modules that only a dependency's unused
// corners mention are not built and not counted.
func TestForbiddenModules(t *testing.T) {
	t.Parallel()
	readRooms(t) // for the test cache: a new import anywhere runs this again
	for _, p := range goList(t, "-deps", "-test", "./...") {
		if p.Module != nil {
			checkModule(t, p.Module.Path, p.ImportPath)
		}
	}

	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", path.Join(root, "go.mod")).Output()
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	if len(mod.Require) == 0 {
		t.Fatal("go.mod requires nothing: it was not read")
	}
	for _, r := range mod.Require {
		checkModule(t, r.Path, "go.mod")
	}
}

func checkModule(t *testing.T, mod, from string) {
	t.Helper()
	for _, rule := range forbiddenModules {
		if strings.Contains(mod, rule.part) {
			t.Errorf("module %s (by %s): %s", mod, from, rule.because)
		}
	}
}

func TestPackageNamesSayWhatTheyProvide(t *testing.T) {
	t.Parallel()
	rooms := readRooms(t)
	taken := make(map[string]string) // name: whose it is
	for _, p := range goList(t, "std") {
		if !strings.Contains(p.ImportPath, "internal/") && !strings.HasPrefix(p.ImportPath, "vendor/") {
			taken[p.Name] = p.ImportPath
		}
	}
	foreign := foreignImports(rooms)
	if len(foreign) > 0 {
		for _, p := range goList(t, foreign...) {
			taken[p.Name] = p.ImportPath
		}
	}
	for _, dir := range sorted(rooms) {
		name := rooms[dir].name
		if slices.Contains(drawers, name) {
			t.Errorf("%s: %q does not say what the package provides", dir, name)
		}
		if other, ok := taken[name]; ok && namesakes[dir] == "" {
			t.Errorf("%s is named like %s: whoever uses both needs an alias", dir, other)
		}
	}
}

// foreignImports gives every package from outside the module and the standard
// library that production code imports.
func foreignImports(rooms map[string]*room) []string {
	seen := make(map[string]bool)
	for _, r := range rooms {
		for _, imported := range r.imports {
			if _, isOurs := ours(imported); !isOurs && !standard(imported) {
				seen[imported] = true
			}
		}
	}
	return sorted(seen)
}
