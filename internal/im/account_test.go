package im_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/liao-im/liao/internal/im"
)

func TestCheckEmail(t *testing.T) {
	for in, want := range map[string]string{
		"ann@example.org":                        "ann@example.org",
		"  Ann.B+c@Example.ORG ":                 "ann.b+c@example.org",
		"o'neil@example.org":                     "o'neil@example.org",
		"":                                       "",
		"ann":                                    "",
		"ann@":                                   "",
		"@example.org":                           "",
		"a@b@c":                                  "",
		"Ann <ann@example.org>":                  "",
		"ann@example.org,b@c.org":                "",
		"ann@example.org\r\nBcc:x":               "",
		"ann@exa mple.org":                       "",
		`"a b"@example.org`:                      "",
		"ann@[127.0.0.1]":                        "",
		"än@example.org":                         "",
		"(c)ann@example.org":                     "",
		strings.Repeat("a", 65) + "@example.org": "",
		"a@" + strings.Repeat("example.", 40) + "org": "",
	} {
		got, err := im.CheckEmail(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CheckEmail(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzCheckEmail(f *testing.F) {
	f.Add("ann@example.org")
	f.Add("a\r\n@b")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := im.CheckEmail(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(got, "\r\n <>,;") || strings.Count(got, "@") != 1 {
			t.Errorf("CheckEmail(%q) = %q", s, got)
		}
		if again, err := im.CheckEmail(got); err != nil || again != got {
			t.Errorf("CheckEmail(%q) is not stable: %q, %v", got, again, err)
		}
	})
}

func TestCheckHandle(t *testing.T) {
	for in, ok := range map[string]bool{
		"ann": true, "a_9": true, "a" + strings.Repeat("b", 31): true,
		"an": false, "": false, "9ann": false, "_ann": false, "Ann": false, "an-n": false, "anñ": false,
		"a" + strings.Repeat("b", 32): false,
	} {
		if err := im.CheckHandle(in); (err == nil) != ok {
			t.Errorf("CheckHandle(%q) = %v, want ok %v", in, err, ok)
		}
	}
}

func TestCheckName(t *testing.T) {
	for in, want := range map[string]string{
		"  Ann ": "Ann", "安": "安", "👩‍👩‍👧": "👩‍👩‍👧", strings.Repeat("字", 64): strings.Repeat("字", 64),
		"": "", "   ": "", "a\nb": "", "a\x00b": "", "a\u202eb": "", "a\u2066b": "", "\xff": "", strings.Repeat("a", 65): "",
	} {
		got, err := im.CheckName(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CheckName(%q) = %q, %v; want %q", in, got, err, want)
		}
		if err != nil && !errors.Is(err, im.Invalid) {
			t.Errorf("CheckName(%q) = %v, want invalid", in, err)
		}
	}
}

func TestTokens(t *testing.T) {
	tok, hash := im.NewToken(im.AccessPrefix)
	got, err := im.HashToken(im.AccessPrefix, tok)
	if err != nil || got != hash {
		t.Fatalf("HashToken of a fresh token = %x, %v; want %x", got, err, hash)
	}
	for name, bad := range map[string]string{
		"empty": "", "prefix alone": im.AccessPrefix, "longer": tok + "A", "shorter": tok[:len(tok)-1],
		"other prefix": im.RefreshPrefix + tok[len(im.AccessPrefix):], "huge": strings.Repeat("a", 10<<20),
	} {
		if _, err := im.HashToken(im.AccessPrefix, bad); !errors.Is(err, im.Unauthenticated) {
			t.Errorf("HashToken(%s) = %v, want unauthenticated", name, err)
		}
	}
	seen := map[im.TokenHash]bool{}
	for range 10_000 {
		_, h := im.NewToken(im.AccessPrefix)
		if seen[h] {
			t.Fatal("a token came twice")
		}
		seen[h] = true
	}
}
