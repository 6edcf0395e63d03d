package config

import (
	"strings"
	"testing"
)

// FuzzParse feeds the file reader anything. Whatever it is, the reader ends
// without a panic, and what it takes can be written as a file that is read the
// same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "data: x\n", "limits:\n  sends_per_second: 3\n", "http.trusted_proxies: [10.0.0.1, '::1']\n",
		"a: &x [*x]\n", "? [a]\n: b\n", "data: {a: {b: c}}\n", "---\n---\n", "data: |\n  x\n  y\n", "data: 'a: b # c'\n",
		"http.allowed_origins: \"https://a.example.org\"\n", "chat:\n  listen: ''\nlog: {level: warn}\n", "\xff\xfe", "data: \"\\x00\"\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, ok := readAll(data)
		if !ok {
			return
		}
		var printed strings.Builder
		if err := first.Write(&printed); err != nil {
			t.Fatalf("Write: %v", err)
		}
		second, ok := readAll([]byte(printed.String()))
		if !ok {
			t.Fatalf("what Write printed is refused:\n%s", printed.String())
		}
		for _, key := range first.keys {
			if got, want := key.text(&second.Config), key.text(&first.Config); !key.Secret && got != want {
				t.Errorf("%s = %q, written and read %q", key.Name, want, got)
			}
		}
	})
}

// readAll reads a file over the defaults, and says whether nothing was wrong
// with it.
func readAll(data []byte) (*Effective, bool) {
	e := &Effective{keys: Keys(), sources: make(map[string]string)}
	var found problems
	for i := range e.keys {
		if key := &e.keys[i]; key.Default != "" {
			if err := key.set(&e.Config, []string{key.Default}); err != nil {
				found.add("default", key.Name, "%v", err)
			}
		}
	}
	for _, value := range parseFile("x.yaml", data, e.keys, &found) {
		key, ok := find(e.keys, value.key)
		if !ok {
			found.add(value.source, value.key, "no key")
			continue
		}
		if err := key.set(&e.Config, value.texts); err != nil {
			found.add(value.source, value.key, "%v", err)
		}
	}
	ok := len(found) == 0
	check(e, &found) // must not panic; an unsafe file can still be read
	return e, ok
}

func TestBitsCountsWhatMustBeGuessed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text        string
		least, most float64
	}{
		{"", 0, 0},
		{"8c0f2e5b7a916d34c8e1f05b92a7d463", 128, 128},
		{"8c0f2e5b7a916d348c0f2e5b7a916d34", 64, 64},
		{"password", 0, 0},
		{"passwordPassw0rd!", 0, 64},
		{"中文口令中文口令中文口令中文口令", 0, 127},
	} {
		if got := bits(test.text); got < test.least || got > test.most {
			t.Errorf("bits(%q) = %.0f, want %.0f to %.0f", test.text, got, test.least, test.most)
		}
	}
}

func TestKnownSecretsAreAListOfManyInLowerCase(t *testing.T) {
	t.Parallel()
	words := knownWords()
	if len(words) < 200 {
		t.Errorf("%d known secrets, want 200 or more", len(words))
	}
	for _, word := range words {
		if word != strings.ToLower(word) || !known(strings.ToUpper(word)) {
			t.Errorf("%q is not found whatever its case", word)
		}
	}
}
